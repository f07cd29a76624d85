"""Pretext tasks on pairs of patches: where they lie (Doersch), whether together (Isola)."""
