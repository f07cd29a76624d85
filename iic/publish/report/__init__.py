"""The report page: everything that a scale shows, each number with its provenance."""
