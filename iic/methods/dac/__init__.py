"""Deep adaptive clustering (Chang, Wang, Meng, Xiang, Pan 2017)."""
