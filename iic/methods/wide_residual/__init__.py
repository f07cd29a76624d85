"""Wide residual networks that learn from labels: with cutout, or on scattering coefficients."""
