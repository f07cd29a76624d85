"""Joint unsupervised learning of representations and clusters (Yang, Parikh, Batra 2016)."""
