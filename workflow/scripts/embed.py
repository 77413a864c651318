"""Run one part's photos through a frozen backbone, once for each view."""

import zipfile
from pathlib import Path

import numpy as np

from podium import views as cuts
from podium.corruptions import corrupt
from podium.pixels import Pixels
from podium.step import Output, Progress, log, run

BATCH = 64


def embed(pixels: Path, embeddings: Output, *, backbone: str, weights: str, views: list[str], precision: str) -> None:
    """Run one part's photos through a frozen backbone, once for each view: an `.npz` of float32 [n, features].

    `weights` are `imagenet`, `none`, or the file, folder or handle that holds them. `precision` is `float32`,
    `bfloat16`, `float16`, or `auto`: what this machine is fastest in.
    """
    import tensorflow as tf

    from podium import backbones, device

    photos, policy = Pixels([pixels]), device.policy(precision)
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
            # Written as it is computed (the layout of numpy.savez), so that memory stays flat.
            with out.open(zipfile.ZipInfo(f"{view}.npy"), "w", force_zip64=True) as file:
                shape = (len(photos), network.output_shape[-1])
                np.lib.format.write_array_header_2_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
                for rows, batch in photos.batches(np.arange(len(photos)), BATCH):
                    file.write(embedded(corrupt(view, batch, rows), cuts.boxes(view, rows)).numpy().tobytes())
                    progress.update(len(rows))


if __name__ == "__main__":
    run(embed)
