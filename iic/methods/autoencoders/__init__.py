"""Autoencoders whose codes are clustered: plain, sparse, denoising, variational."""
