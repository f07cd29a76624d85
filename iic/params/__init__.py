"""Typed settings, their files and their resolution into runs."""
