"""One clustering method to a folder, all behind one interface."""
