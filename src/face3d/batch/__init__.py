"""Thousands of exams and scans, one process an item: whatever happens to one of them costs that one."""
