"""IMC-SwAV (Ntelemis, Jin, Thomas 2022): multi-crop SwAV, and a classifier beside it."""
