"""k-means on frozen features: of a file, or of a model whose weights are in a file."""
