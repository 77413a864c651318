"""Photos on their way from encoded bytes to pixels: decoding, TFRecord files, pixels on disk, views. No TensorFlow."""
