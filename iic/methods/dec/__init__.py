"""Deep embedded clustering (Xie, Girshick, Farhadi 2016)."""
