"""An answer for each pixel: a backbone whose features of each scale a decoder joins. Needs TensorFlow.

Source: Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", 2015.
"""

from typing import Any

import keras
import pandas as pd

from podium.networks import dense
from podium.networks.data import Dataset

COARSEST = 32  # stride of the features that are used

predict = dense.predict


def fit(data: Dataset, **settings: Any) -> tuple[keras.Model, pd.DataFrame]:
    """Fit on pixels; arguments and result as of `dense.fit`. The decoder has `width` channels at the finest scale, and
    twice as many, at most eight times, at each coarser one."""
    return dense.fit(_decoded, data, "unet", COARSEST, **settings)


def _decoded(features: dict[int, Any], width: int, policy: str) -> Any:
    *finer, coarsest = (features[stride] for stride in sorted(features))
    skipped = [dense.convolved(each, dense.channels(width, scale), 1, policy) for scale, each in enumerate(finer)]
    found = dense.convolved(coarsest, dense.channels(width, len(finer)), 1, policy)
    return dense.joined(found, skipped, width, policy)
