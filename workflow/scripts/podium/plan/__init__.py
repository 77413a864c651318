"""What the Snakefile asks: the config, checked, and the plan made of it. No TensorFlow."""
