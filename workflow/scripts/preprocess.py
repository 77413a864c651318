"""Decode, orient and resize one part's photos, once."""

import json
import math
from functools import partial
from pathlib import Path

from podium.photos import images
from podium.photos import pixels as store
from podium.photos import records as tfrecords
from podium.progress import in_threads
from podium.step import Output, run


def preprocess(
    records: Path, depth: Path, pixels: Output, *, part: str, size: int, fit: str, grey: bool, threads: int
) -> None:
    """Decode, orient and resize one part's photos to uint8 [n, size, size, 3], in the records' order.

    `records` is the folder of all parts' records, `depth` the JSON file with the range of values that is shown; `fit`
    states how a photo becomes a square: `crop`, `pad`, `squash` or `keep`; `grey` photos lose their colours.
    """
    count = tfrecords.count(path := records / f"{part}.tfrecord")
    # `index` has already checked the photos' size.
    decode = partial(images.decode, size=size, fit=fit, grey=grey, megapixels=math.inf, **json.loads(depth.read_text()))
    encoded = (record.image for record in tfrecords.read(path))
    store.write(pixels, (count, size, size, 3), in_threads(decode, encoded, count, "photos", threads))


if __name__ == "__main__":
    run(preprocess)
