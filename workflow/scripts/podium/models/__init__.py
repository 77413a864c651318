"""Model files: `.keras` files whose bytes depend on the model alone, written and safely read."""
