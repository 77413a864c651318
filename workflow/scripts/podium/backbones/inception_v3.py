"""InceptionV3 of keras.applications: with ImageNet weights from Keras's cache or server, or with random ones.

Source: Szegedy et al., "Rethinking the Inception architecture for computer vision", 2016; Keras's
implementation and weights. Random weights are for timing and tests: they cost the same and know nothing.
"""

import keras

WEIGHTS = {"inception_v3": "imagenet", "inception_v3_random": None}


def build(name: str, *, policy: str) -> keras.Model:
    """Pixels float or uint8 [n, h, w, 3] in 0..255 -> embeddings float32 [n, 2048]; the sides at least 75."""
    inputs = keras.Input((None, None, 3), name="pixels")
    if WEIGHTS[name] is None:
        keras.utils.set_random_seed(0)  # the same in every process
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)  # keras.applications takes it from nowhere else
    try:
        x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(inputs)
        x = keras.applications.InceptionV3(include_top=False, weights=WEIGHTS[name], input_tensor=x).output
    finally:
        keras.config.set_dtype_policy(before)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D(dtype="float32", name="embedding")(x), name=name)
