"""Where the face is on a scan, and how the head is turned."""
