"""Run one part's photos through a frozen backbone, once for each view."""

import zipfile
from pathlib import Path

import numpy as np

from podium.photos import views as cuts
from podium.photos.corruptions import corrupt
from podium.photos.pixels import Pixels
from podium.step import BadInput, Output, Progress, log, run
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
    """Run one part's photos through a frozen backbone, once for each view: an `.npz` of float32 [n, features].

    The randomness of a view depends only on a photo's place in its split. `weights` are `imagenet`, `none`, or the
    file, folder or handle that contains them; `precision` is `float32`, `bfloat16` or `float16`. Raises BadInput if
    the number of photos differs from the index, or if the weights are missing or do not fit.
    """
    import tensorflow as tf

    from podium import backbones, device

    photos, places, policy = Pixels([pixels]), part_places(read_csv(index), part), device.policy(precision)
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

    with zipfile.ZipFile(embeddings, "w") as out, Progress(len(photos) * len(views), "photos") as progress:
        for view in views:
            # Written as it is computed (in the layout of numpy.savez), so that memory use stays constant.
            with out.open(zipfile.ZipInfo(f"{view}.npy"), "w", force_zip64=True) as file:
                shape = (len(photos), network.output_shape[-1])
                np.lib.format.write_array_header_2_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
                for rows, batch in photos.batches(filled, BATCH):
                    some, count = places[rows], min(BATCH, len(photos) - int(rows[0]))
                    found = embedded(corrupt(view, batch, some), cuts.boxes(view, some)).numpy()
                    file.write(found[:count].tobytes())
                    progress.update(count)


if __name__ == "__main__":
    run(embed)
