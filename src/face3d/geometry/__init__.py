"""Surfaces: cleaning, mirroring, superimposing, distances, views. Knows no face."""
