"""Pages for readers: one look, self-contained files."""
