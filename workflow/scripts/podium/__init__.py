"""Modules that two or more steps of Podium share; each module says whether it needs TensorFlow."""

# The order of the splits in the index, and so of the rows in everything that is made from it.
SPLITS = ("train", "validation", "test")
# The yardsticks that compare experiments, of which the first available one counts: validation photos are more reliable
# than folds, and all folds more reliable than a single held-out fold.
JUDGES = ("validation", "out_of_fold", "held_out")
