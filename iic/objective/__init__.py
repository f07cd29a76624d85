"""Mutual information objectives (paper, sections 3.1 and 3.3)."""
