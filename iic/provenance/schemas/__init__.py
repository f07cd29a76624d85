"""JSON schemas of settings and records, generated from their models."""
