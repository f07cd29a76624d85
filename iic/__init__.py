"""Reference reproduction of IIC (Invariant Information Clustering, ICCV 2019)."""
