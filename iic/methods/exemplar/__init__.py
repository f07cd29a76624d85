"""Exemplar-CNN (Dosovitskiy et al. 2015): each patch is a class, and a machine on its features."""
