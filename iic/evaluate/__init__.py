"""Matching, metrics and the four selection protocols."""
