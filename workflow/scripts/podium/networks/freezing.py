"""Which layers of a pretrained backbone train further, for the networks on one. Needs TensorFlow."""

import re

import keras

from podium.step import BadInput

CLIP = 1.0  # the most that the gradient of one weight tensor may measure


def freeze(backbone: keras.Model, frozen: float | str, where: str) -> keras.Model:
    """The same network, of which what is `frozen` does not train: a share, or everything up to a stage.

    Nor does a batch norm that could not be folded away: its statistics of few photos would be worse than its own.
    Raises BadInput, which names the network `where` this is a setting of.
    """
    for layer in backbone.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    able = [layer for layer in backbone.layers if layer.trainable_weights]
    for layer in able[: _depth([layer.name for layer in able], frozen, backbone.name, where)]:
        layer.trainable = False
    return backbone


def _depth(layers: list[str], frozen: float | str, backbone: str, where: str) -> int:
    """How many of the layers of these names stay as they are; raises BadInput for no such stage and for all layers."""
    if isinstance(frozen, str):
        stage = re.compile(rf"{re.escape(frozen)}(?!\d)")  # `block1` is not `block10`
        count = max((place for place, name in enumerate(layers, 1) if stage.match(name)), default=0)
        if not count:
            stages = dict.fromkeys(re.sub(r"(?<=\d)(?!\d).*", "", name) for name in layers)
            raise BadInput(f"{where}.frozen: {backbone} has no stage '{frozen}' (there are: {', '.join(stages)})")
    else:
        count = round(frozen * len(layers))
    if count >= len(layers):
        left = f"leaves none of {backbone}'s {len(layers)} layers to train"
        raise BadInput(f"{where}.frozen: {frozen} {left}; a head alone is what the network 'head' fits")
    return count
