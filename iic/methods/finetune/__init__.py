"""A trained trunk finetuned with labels (Table 2's semi-supervised row of the paper)."""
