"""The clinic's own computer: exams in, reports out, in a browser on this machine. No measuring of its own."""
