"""What can be trained: the menu, and a file for each network. This file needs no TensorFlow.

A network's file has `fit`, which trains on rows of the training photos and returns a model that takes uint8
pixels of any size and gives probabilities, with a table of how the fit went; and `predict`, which gives
a saved model's probabilities for the same kind of files that it was trained on.

Beside the networks stands what they share: `training`, `augmentation` and `events` for all that train on pixels,
`scratch` for those from scratch, `depthwise` and `freezing` for those on a backbone, `dense` for those that answer each
pixel.
"""

from typing import Literal, NamedTuple


class Network(NamedTuple):
    """What is known of a network before it is imported; its settings are those that the schema has under its name.

    It reads the photos' pixels, or embeddings of the views that its own setting `views` names. One on a pretrained
    backbone takes `backbone` and `weights`. A fit of one that claims GPUs takes `gpus`, and shares out its `batch`
    among them: a large one `always` claims them and keeps all cores busy, a small one only `where there are any`.
    """

    reads: Literal["pixels", "embeddings"]
    pretrained: bool
    claims_gpus: Literal["always", "where there are any", "never"]
    dense: bool = False  # it answers each pixel


# By the names of their files, in the order in which messages list them.
NETWORKS = {
    "head": Network("embeddings", pretrained=True, claims_gpus="never"),
    "finetune": Network("pixels", pretrained=True, claims_gpus="always"),
    "unet": Network("pixels", pretrained=True, claims_gpus="always", dense=True),
    "deeplab": Network("pixels", pretrained=True, claims_gpus="always", dense=True),
    "small_unet": Network("pixels", pretrained=False, claims_gpus="where there are any", dense=True),
    "cnn": Network("pixels", pretrained=False, claims_gpus="where there are any"),
    "mlp": Network("pixels", pretrained=False, claims_gpus="where there are any"),
}
