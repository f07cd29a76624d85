"""Triplets (Schultz and Joachims 2003): a distance learnt from pairs of one image."""
