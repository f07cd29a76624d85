"""A start for a method of your own: a small one that trains. Copy the folder, and rename it."""
