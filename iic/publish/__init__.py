"""Tables, figures and verdicts, made from what lies on disk."""
