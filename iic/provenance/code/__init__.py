"""Code identity: a hash for each definition that a job reaches, wherever it lies."""
