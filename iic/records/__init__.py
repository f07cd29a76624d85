"""Models, paths and atomic reading and writing of every file on disk."""
