"""Recorded movements followed frame by frame, and what is read off them."""
