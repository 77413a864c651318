"""What can be trained; the listing of this folder is the menu.

Each file has `fit`, which trains on rows of the training photos and returns a model that takes uint8
pixels of any size and gives probabilities, with a table of how the fit went; and `predict`, which gives
a saved model's probabilities for the same kind of files that it was trained on.
"""
