"""Networks A, B (and later C) with their heads (supplement, Table 1)."""
