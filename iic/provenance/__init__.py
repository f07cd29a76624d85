"""Fingerprints, audit, why, accept, restore."""
