"""Decode, orient and resize one part's photos, once."""

import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from podium.photos import images
from podium.photos import pixels as store
from podium.photos import records as tfrecords
from podium.step import Output, Progress, run

AHEAD = 64


def preprocess(records: Path, depth: Path, pixels: Output, *, size: int, fit: str, threads: int) -> None:
    """Decode, orient and resize one part's photos to uint8 [n, size, size, 3], in the records' order.

    `depth` is the JSON file with the range of values that is shown; `fit` states how a photo becomes a square: `crop`,
    `pad` or `squash`.
    """
    count = tfrecords.count(records)
    how = {"size": size, "fit": fit, **json.loads(depth.read_text())}

    def decoded() -> Iterator[NDArray[np.uint8]]:
        encoded = (record.image for record in tfrecords.read(records))
        with Progress(count, "photos") as progress, ThreadPoolExecutor(threads) as pool:
            # A few photos at a time, so that memory use stays constant; `index` has already checked their size.
            while some := list(islice(encoded, AHEAD)):
                yield from pool.map(lambda data: images.decode(data, **how, megapixels=math.inf), some)
                progress.update(len(some))

    store.write(pixels, (count, size, size, 3), decoded())


if __name__ == "__main__":
    run(preprocess)
