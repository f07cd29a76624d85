"""DeepCluster (Caron et al. 2018), its features clustered; on images and on maps."""
