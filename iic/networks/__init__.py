"""Networks A, B and C with their heads (supplement, Table 1)."""
