"""An answer for each pixel: a backbone's features, seen in several widths of sight, and fine ones. Needs TensorFlow.

Source: Chen et al., "Encoder-decoder with atrous separable convolution for semantic image segmentation", 2018
(DeepLabv3+), with plain convolutions.
"""

from typing import Any

import keras
import pandas as pd

from podium.networks import dense
from podium.networks.data import Dataset

COARSEST = 16  # stride of the features that are used
APART = 4  # how much coarser the features that are seen in several widths are than those that they are joined with
RATES = (2, 4, 6)  # of convolutions on the former: a third of the source's, whose photos are larger
NARROW = 48 / 256  # channels of the fine features, as a share of the others

predict = dense.predict


def fit(data: Dataset, **settings: Any) -> tuple[keras.Model, pd.DataFrame]:
    """Fit on pixels; arguments and result as of `dense.fit`. All that is behind the backbone has `width` channels."""
    return dense.fit(_decoded, data, "deeplab", COARSEST, **settings)


def _decoded(features: dict[int, Any], width: int, policy: str) -> Any:
    *_, stride = strides = sorted(features)
    finer = max(each for each in strides if each <= stride // APART)
    found = keras.layers.UpSampling2D(stride // finer, interpolation="bilinear", dtype=policy)(
        _pyramid(features[stride], width, policy)
    )
    fine = dense.convolved(features[finer], max(8, round(width * NARROW)), 1, policy)
    found = keras.layers.Concatenate(dtype=policy)([found, fine])
    found = dense.convolved(dense.convolved(found, width, 3, policy), width, 3, policy)
    return keras.layers.UpSampling2D(finer // strides[0], interpolation="bilinear", dtype=policy)(found)


def _pyramid(features: Any, width: int, policy: str) -> Any:
    """The features by themselves, in three widths of sight, and the mean of all places, together."""
    seen = [dense.convolved(features, width, 1, policy)]
    seen += [dense.convolved(features, width, 3, policy, rate) for rate in RATES]
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True, dtype=policy)(features)
    mean = keras.layers.Conv2D(width, 1, use_bias=False, dtype=policy)(mean)
    found = keras.layers.Conv2D(width, 1, use_bias=False, dtype=policy)(keras.layers.Concatenate(dtype=policy)(seen))
    return dense.activated(keras.layers.Add(dtype=policy)([found, mean]), policy)
