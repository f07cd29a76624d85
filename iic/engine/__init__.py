"""The training engine: pairs, loop, checkpoints, history."""
