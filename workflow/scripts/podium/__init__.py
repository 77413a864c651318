"""What two or more steps of Podium share; each module says whether it needs TensorFlow."""

# The order of the splits in the index, and so of the rows in everything that is made from it.
SPLITS = ("train", "validation", "test")
# The yardsticks that compare experiments, the first that is there: photos from elsewhere say more than folds, and all
# folds more than the one that an experiment fitted on everything leaves out beside it.
JUDGES = ("validation", "out_of_fold", "held_out")
