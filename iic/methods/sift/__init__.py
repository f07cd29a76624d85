"""Dense SIFT descriptors, clustered."""
