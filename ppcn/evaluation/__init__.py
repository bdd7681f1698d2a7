"""How good, how large and how fast: metrics, protocols, timing and the papers' tables."""
