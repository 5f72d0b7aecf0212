"""The numbers of a scan, of an exam, of two visits."""
