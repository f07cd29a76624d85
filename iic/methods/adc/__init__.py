"""Associative deep clustering (Haeusser, Plapp, Golkov, Aljalbout, Cremers 2018)."""
