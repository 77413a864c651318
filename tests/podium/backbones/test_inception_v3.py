"""The network with random weights, since the others come from a server."""

import keras
import numpy as np
import pytest

from podium import backbones


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_it_gives_float32_embeddings_of_photos_of_any_size_and_leaves_keras_as_it_was(policy: str) -> None:
    before = keras.config.dtype_policy().name
    network = backbones.build("inception_v3_random", policy=policy)
    assert keras.config.dtype_policy().name == before
    assert not network.trainable_variables
    assert {weight.dtype for weight in network.get_weights()} == {np.dtype("float32")}
    convolutions = {layer.dtype_policy.name for layer in network.layers if isinstance(layer, keras.layers.Conv2D)}
    assert convolutions == {policy}
    photos = np.random.default_rng(0).integers(0, 256, (1, 80, 96, 3), dtype=np.uint8)
    found = network(photos).numpy()
    assert (found.shape, found.dtype) == ((1, 2048), np.float32)
    inner = keras.applications.InceptionV3(include_top=False, weights=None, pooling="avg", input_shape=(80, 96, 3))
    inner.set_weights(network.get_weights())
    expected = inner(keras.applications.inception_v3.preprocess_input(photos.astype(np.float32))).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 if policy == "float32" else 0.05 * np.abs(expected).max())
