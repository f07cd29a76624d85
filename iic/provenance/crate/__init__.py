"""Results as a Workflow Run RO-Crate: what stands in it, and how it is written."""
