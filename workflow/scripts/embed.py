"""Run one part's photos through a frozen backbone, once for each view."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podium import arrays
from podium.photos import views as cuts
from podium.photos.corruptions import corrupt
from podium.photos.pixels import Pixels
from podium.progress import Progress
from podium.step import BadInput, Output, log, run
from podium.tables import part_places, read_csv

BATCH = 64


def embed(
    pixels: Path,
    index: Path,
    embeddings: Output,
    *,
    part: str,
    backbone: str,
    weights: str,
    views: list[str],
    precision: str,
) -> None:
    """Run one part's photos through a frozen backbone, once for each view.

    `embeddings` is an `.npy` file with a row for each photo and a field of float32 [features] for each view. The
    randomness of a view depends only on a photo's place in its split. `weights` are `imagenet`, `none`, or the file,
    folder or handle that contains them; `precision` is `float32`, `bfloat16` or `float16`. Raises BadInput if the
    number of photos differs from the index, or if the weights are missing or do not fit.
    """
    import tensorflow as tf

    from podium import backbones, device

    photos, policy = Pixels([pixels]), device.policy(precision)
    places = part_places(read_csv(index, ["split", "part"]), part)
    if len(photos) != len(places):
        raise BadInput(f"{pixels}: contains {len(photos)} photos, but {index} lists {len(places)} of {part}")
    # Only whole batches, the last filled with the first photos, since sums of smaller batches are rounded differently.
    filled = np.resize(np.arange(len(photos)), -(-len(photos) // BATCH) * BATCH)
    log.info("computes in %s on %s", policy, device.described())
    network = backbones.build(backbone, weights, policy=policy, sides=[photos.size])

    @tf.function(
        input_signature=[tf.TensorSpec([None, photos.size, photos.size, 3], tf.uint8), tf.TensorSpec([None, 4])]
    )
    def embedded(batch: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
        return network(
            tf.image.crop_and_resize(batch, boxes, tf.range(tf.shape(batch)[0]), [photos.size] * 2), training=False
        )

    kind = np.dtype([(view, np.float32, network.output_shape[-1:]) for view in views])

    def rows(progress: Progress) -> Iterator[NDArray[Any]]:
        for numbers, batch in photos.batches(filled, BATCH):
            some, found = places[numbers], np.empty(len(batch), kind)
            for view in views:
                found[view] = embedded(corrupt(view, batch, some), cuts.boxes(view, some))
            count = min(BATCH, len(photos) - int(numbers[0]))
            progress.update(count * len(views))
            yield found[:count]

    with Progress(len(photos) * len(views), "photos") as progress:
        arrays.write(embeddings, kind, (len(photos),), rows(progress))


if __name__ == "__main__":
    run(embed)
