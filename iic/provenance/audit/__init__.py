"""The audit: from each cell of each table back to the raw bytes."""
