"""Faces with known truth: head model, patients, motion and scanners."""
