"""SimSiam (Chen and He 2021): features without negatives, clustered by k-means."""
