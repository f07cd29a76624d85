"""k-means in memory and streamed, whitening, features of pixels."""
