"""How large photos are shown, and how often, where each pixel is answered: planned from the photos, for some minutes.

From a fingerprint to a plan that a person can edit, as in Isensee et al., "nnU-Net", 2021; here for photos, and for two
processor cores. No TensorFlow.
"""

import io
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import numpy as np
from PIL import Image

from podium.begin import Finding, Settings
from podium.begin.catalogue import READ, Catalogue

MULTIPLE = 32  # of sides
SIZES, SMALLEST, LARGEST = range(512, 64, -MULTIPLE), 96, 1024
ZOOM = 0.8  # the side of what is trained on, of the side of what is predicted, in which photos are larger
CROP = 128  # the largest side of what a network from scratch is trained on
TRAINED = {"unet": 1.5e6, "small_unet": 0.45e6}  # pixels a second, of all fits of the two cores together
PREDICTED = {"unet": 6e6, "small_unet": 1.5e6}  # likewise
VIEWS = 2
OVERHEAD = 55.0  # seconds of all other steps, and those until a fit begins
ENOUGH, MOST = 6, 60  # epochs that a larger photo is worth, and beyond which more are worth little
STEP = {"unet": 8 * 288**2, "small_unet": 2**17}  # pixels of a batch that takes about 2 GB
FEWEST, LARGEST_BATCH = 2, 32  # photos in a batch
STORED = 4e9  # bytes of predictions
SEEN = 128  # the side at which a backbone is shown small photos
FEW = 7  # epochs after which it knows them by heart
# How it is shown them: as they are, as photo and colours have to stay together.
COLOURING: Settings = {"batch": 32, "learning_rate": 4.0e-4, "weight_decay": 0.01, "dropout": 0.0, "width": 24}
COLOURING |= {"augment": {"area": [1.0, 1.0], "aspect": 1.0, "rotation": 0.0, "light": 0.0, "colour": 0.0}}


class Fingerprint(NamedTuple):
    """What is known of the photos: how many, the fits that they are trained in, usual sides, and the largest one."""

    photos: int
    fits: float
    predicted: int
    width: int
    height: int
    largest: int


def fingerprint(catalogue: Catalogue, photos: list[str], tests: list[str], judged: int) -> Fingerprint:
    """Of photos to train on and of the test; `judged` is how many a validation table has, 0 for none."""
    sizes = [_size(catalogue.contents.read, name) for own in (photos, tests) for name in own[:: len(own) // READ + 1]]
    widths, heights = zip(*sizes, strict=True)
    held = len(photos) // 5
    predicted = len(tests) + (judged or held)
    fits = 1.0 if judged else 1.8  # all photos, and without the fifth that judges
    usual = int(median(widths)), int(median(heights))
    return Fingerprint(len(photos), fits, predicted, *usual, max(map(max, sizes)))


def _size(read: Callable[[str], bytes], name: str) -> tuple[int, int]:
    with Image.open(io.BytesIO(read(name))) as image:
        return image.size


def of_masks(own: Fingerprint, classes: int, minutes: float) -> tuple[Settings, Finding]:
    """The side of predictions, and the rest."""
    network, most = "unet", max(own.width, own.height)
    sizes = [size for size in SIZES if SMALLEST <= size <= max(_up(most), SMALLEST)]
    plans = [(size, _crop(size), _epochs(own, network, size, _crop(size), minutes)) for size in sizes]
    size, crop, epochs = next((plan for plan in plans if plan[2] >= ENOUGH), plans[-1])
    side = min(size, int((STORED / (own.predicted * classes)) ** 0.5) // MULTIPLE * MULTIPLE)
    return {"side": max(side, MULTIPLE)}, _finding(own, network, size, crop, epochs, minutes)


def of_pictures(own: Fingerprint, minutes: float, *, grey: bool) -> tuple[Settings, Finding]:
    """Photos as large as they are; small ones whose colours are wanted are shown to a backbone, which knows what is
    what, much larger."""
    size = min(_up(own.largest), LARGEST)
    fit = "squash" if own.width == own.height == own.largest == size else "keep"
    enlarge = SEEN // size if grey else 1
    if enlarge > 1:
        epochs = min(_epochs(own, "unet", size * enlarge, size * enlarge, minutes), FEW)
        found = _finding(own, "unet", size, size, epochs, minutes)
        found.settings["defaults"]["train"]["unet"] |= {"enlarge": enlarge, **COLOURING}
    else:
        crop = min(size, CROP)
        epochs = _epochs(own, "small_unet", size, crop, minutes)
        found = _finding(own, "small_unet", size, crop, epochs, minutes)
    return {"side": size}, found._replace(settings=found.settings | {"preprocess": {"fit": fit}})


def _up(side: int) -> int:
    return -(-side // MULTIPLE) * MULTIPLE


def _crop(size: int) -> int:
    return size if size <= CROP else round(size * ZOOM / MULTIPLE) * MULTIPLE


def _epochs(own: Fingerprint, network: str, size: int, crop: int, minutes: float) -> int:
    left = 60 * minutes - OVERHEAD - VIEWS * own.predicted * size**2 / PREDICTED[network]
    return int(np.clip(left * TRAINED[network] / (own.photos * own.fits * crop**2), 2, MOST))


def _finding(own: Fingerprint, network: str, size: int, crop: int, epochs: int, minutes: float) -> Finding:
    batch = int(np.clip(STEP[network] // crop**2, FEWEST, 8 if network == "unet" else LARGEST_BATCH))
    settings = {"sizes": [crop], "epochs": epochs, "batch": batch}
    why = (
        f"about {minutes:g} minutes on two cores: {own.photos:,} photos, mostly {own.width} x {own.height}, are stored "
    )
    why += f"at {size}, and shown {epochs} times, in parts of {crop} (`--minutes` plans another time)"
    defaults = {"size": size, "train": {network: settings}}
    return Finding({"preprocess": {"fit": "squash"}, "defaults": defaults, "run": [network]}, why)
