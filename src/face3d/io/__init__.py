"""Reading and writing: scans and landmarks, in the file's own order, and safe with hostile files."""

from face3d.io.landmark_files import read_landmarks, write_landmarks
from face3d.io.read import read_scan
from face3d.io.write import write_scan

__all__ = ["read_landmarks", "read_scan", "write_landmarks", "write_scan"]
