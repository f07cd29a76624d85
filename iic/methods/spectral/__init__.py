"""Spectral clustering of a graph of nearest neighbours."""
