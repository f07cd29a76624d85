"""Own images: read, fit, predict, explain, by the same engine and methods as the tables."""
