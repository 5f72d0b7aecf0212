"""Faces with known truth: head model, patients, motion and scanners."""

from face3d.simulate.head import HeadModel

__all__ = ["HeadModel"]
