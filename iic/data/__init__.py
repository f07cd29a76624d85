"""Catalogue, download and preparation of datasets."""
