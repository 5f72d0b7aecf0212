"""Networks on raw points, without any fit; the only users of torch-geometric."""
