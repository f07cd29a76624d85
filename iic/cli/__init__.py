"""Command line: one verb per workflow rule, and the verbs for users."""
