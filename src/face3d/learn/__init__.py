"""Grading severity by networks over point sets: examples, networks, training, evaluation, explanation."""
