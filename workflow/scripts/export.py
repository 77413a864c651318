"""Export one fit's model to formats that other programs load: weights, and a SavedModel to serve."""

from pathlib import Path
from typing import Any

from podium import tasks
from podium.models.reading import check_photos_suffice, load, saved_metadata
from podium.step import Output, log, run

VERSION = "1"  # TensorFlow Serving looks for numbered folders in the folder that it is given


def export(model: Path, weights: Output, served: Output, *, saved_model: str | None) -> None:
    """Export one fit's model to formats that other programs load: weights, and a SavedModel to serve.

    `weights` is an HDF5 file for `load_weights` of the same network; `served` a folder for TensorFlow Serving.
    Its signature `serving_default` takes `pixels`, uint8 [n, height, width, 3], upright and RGB, of any size;
    `encoded` takes the bytes of JPEG and PNG files, a string [n]. Both return `probabilities`, float32
    [n, outputs], and `classes`, the names of the outputs in the same order, repeated for each photo, a string [n,
    outputs].

    `saved_model` is the folder or handle of the SavedModel that the model is built on, or None. Raises BadInput if the
    model is built on a SavedModel that is not named.
    """
    import tensorflow as tf

    check_photos_suffice(model)
    said = saved_metadata(model)
    network, names = load(model, saved_model), tasks.task(said["task"]).output_names(said["classes"])
    network.save_weights(weights)
    pixels, encoded = _endpoints(network, names)
    module = tf.Module()
    module.kept = [variable.value for variable in network.weights]  # Keras's own ExportArchive stores them in a set
    signatures = {
        "serving_default": tf.function(pixels, [tf.TensorSpec([None, None, None, 3], tf.uint8, "pixels")]),
        "encoded": tf.function(encoded, [tf.TensorSpec([None], tf.string, "encoded")]),
    }
    tf.saved_model.save(module, served / VERSION, signatures)
    (served / VERSION / "fingerprint.pb").unlink()  # contains a random number and is not needed to load the model
    log.info("wrote a SavedModel of %d outputs", network.output_shape[-1])


def _endpoints(network: Any, outputs: list[str]) -> tuple[Any, Any]:
    """The functions of the two signatures."""
    import tensorflow as tf

    def pixels(pixels: Any) -> dict[str, Any]:
        return named(network(pixels, training=False))

    def encoded(encoded: Any) -> dict[str, Any]:
        # One by one, since each has its own size.
        return named(tf.map_fn(one, encoded, fn_output_signature=tf.TensorSpec([len(outputs)])))

    def one(data: Any) -> Any:
        return network(tf.cond(tf.io.is_jpeg(data), lambda: jpeg(data), lambda: png(data))[None], training=False)[0]

    def jpeg(data: Any) -> Any:
        return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")

    def png(data: Any) -> Any:
        """Transparent parts become white, as they do in training."""
        decoded = tf.cast(tf.io.decode_png(data, channels=4), tf.float32)
        share = decoded[..., 3:] / 255
        return tf.cast(tf.round(decoded[..., :3] * share + 255 * (1 - share)), tf.uint8)

    def named(probabilities: Any) -> dict[str, Any]:
        # A row for each photo, since TensorFlow Serving splits its answers by rows.
        names = tf.repeat(tf.constant([outputs]), tf.shape(probabilities)[0], axis=0)
        return {"probabilities": probabilities, "classes": names}

    return pixels, encoded


if __name__ == "__main__":
    run(export)
