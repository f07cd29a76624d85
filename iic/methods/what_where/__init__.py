"""Stacked what-where autoencoders (SWWAE, Zhao et al. 2015), their "what" clustered."""
