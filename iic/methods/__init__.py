"""One clustering method to a file, all behind one interface."""
