"""What can be trained; the listing of this folder is the menu.

Each file has `fit`, which trains on rows of the training photos and returns a model that takes uint8
pixels of any size and gives probabilities, with a table of how the fit went; and `predict`, which gives
a saved model's probabilities for the same kind of files that it was trained on.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def for_any_size(network: "keras.Model", size: int) -> "keras.Model":
    """The network behind the same square cut and bicubic resize as `preprocess`: uint8 [n, h, w, 3] -> its output."""
    import keras

    inputs = keras.Input((None, None, 3), dtype="uint8", name="photo")
    resize = keras.layers.Resizing(
        size, size, interpolation="bicubic", antialias=True, crop_to_aspect_ratio=True, name="resize"
    )
    clip = keras.layers.ReLU(255.0, name="clip")  # bicubic overshoots
    return keras.Model(inputs, network(clip(resize(inputs))))
