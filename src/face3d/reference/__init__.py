"""What is published: scales, norms, agreement statistics, repeatability. No scan in it."""
