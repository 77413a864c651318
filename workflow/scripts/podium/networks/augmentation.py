"""Photos varied anew in each epoch, for all networks that train on pixels. Needs TensorFlow."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from podium.networks.data import Dataset
from podium.networks.training import Feed
from podium.photos import views
from podium.photos.corruptions import corrupt
from podium.photos.pixels import Pixels
from podium.step import BadInput
from podium.tasks.dense import DenseTask

KEPT = 2**28  # bytes of targets that stay in memory
BRIGHTEST = 255

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Strengths(NamedTuple):
    """How much photos are varied; none of it with `area` (1, 1), `aspect` 1, no `corruptions` and 0 elsewhere.

    `area`, `aspect`, `shift` and `flip` are those of `views.crops`; `rotation` is the most share of a full turn.
    Contrast and brightness change by up to `light`, each colour by up to `colour`. `mixup` and `cutmix` are
    parameters of beta distributions. Each photo is spoilt by one of `corruptions`, drawn anew each time; `plain`
    among them leaves it as it is.
    """

    area: tuple[float, float]
    aspect: float
    shift: float
    rotation: float
    flip: bool
    light: float
    colour: float
    mixup: float
    cutmix: float
    corruptions: list[str]


class Augmentation:
    """Random-resized crops, turned, mirrored and in another light and colour, now and then mixed with each other.

    Sources: Szegedy et al., "Going deeper with convolutions", 2015 (crops); Zhang et al., "mixup", 2018;
    Yun et al., "CutMix", 2019. A whole batch is mixed with itself in reverse order by one draw.
    """

    def __init__(self, photos: Pixels, data: Dataset, sizes: list[int], epochs: int, strengths: Strengths) -> None:
        """The photos of this data set; each of the sides `sizes` for as many epochs.

        Raises BadInput where there are fewer photos.
        """
        self._photos, self._data = photos, data
        if data.rows.max() >= len(photos):
            raise BadInput(f"parts: {len(photos)} photos are too few; those to measure stand behind those to train on")
        self._sizes, self._epochs, self._strengths = sizes, epochs, strengths
        self._mixes = [(kind, getattr(strengths, kind)) for kind in ("mixup", "cutmix") if getattr(strengths, kind)]

    def feed(self) -> Feed:
        types = (tf.uint8, tf.int32, *[tf.float32] * 5)
        return Feed(self.draw, types, self.prepare, self.plain, self.work)

    def work(self, epoch: int) -> float:
        """The pixels of a photo in this epoch."""
        return float(self._side(epoch) ** 2)

    def _side(self, epoch: int) -> int:
        return self._sizes[epoch * len(self._sizes) // self._epochs]

    def plain(self, some: Ints) -> tuple[NDArray[np.uint8], Floats]:
        """The photos numbered `some` as they are stored, and their targets."""
        return self._photos[self._data.rows[some]], self._data.targets(some)

    def draw(self, some: Ints, random: np.random.Generator, epoch: int) -> tuple[Any, ...]:
        """Pixels, side, transforms, gains (contrast, then one for each colour), what is mixed in, targets."""
        strengths, count = self._strengths, len(some)
        side = self._side(epoch)
        boxes = self._boxes(random, count, side)
        turns = random.uniform(-strengths.rotation, strengths.rotation, count)
        contrast = random.uniform(1 - strengths.light, 1 + strengths.light, (count, 1))
        brightness = random.uniform(1 - strengths.light, 1 + strengths.light, (count, 1))
        colours = brightness * random.uniform(1 - strengths.colour, 1 + strengths.colour, (count, 3))
        gains = np.concatenate([contrast, colours], 1).astype(np.float32)
        mixed = self._mix(random)
        pixels, targets = self.plain(some)
        return (
            self._spoilt(pixels, random),
            np.int32(side),
            views.transforms(boxes, turns, self._photos.size, side),
            gains,
            *mixed,
            targets,
        )

    def _boxes(self, random: np.random.Generator, count: int, side: int) -> NDArray[np.float64]:  # noqa: ARG002
        """What is cut out of each photo."""
        strengths = self._strengths
        return views.crops(random, count, strengths.area, strengths.aspect, strengths.flip, strengths.shift)

    def prepare(
        self, pixels: Any, side: Any, transforms: Any, gains: Any, region: Any, share: Any, targets: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The batch, float32 [n, side, side, 3] in 0..255, and its targets, of what was drawn."""
        cut = self._lit(_cut(pixels, transforms, side, "BILINEAR", "REFLECT", 0.0), gains)
        targets = tf.ensure_shape(targets, [None, self._data.outputs])
        if self._mixes:
            mixed = share * _inside(region, side)
            cut += (tf.reverse(cut, [0]) - cut) * mixed
            targets += (tf.reverse(targets, [0]) - targets) * tf.reduce_mean(mixed)
        return self._shaped(cut), targets

    def _shaped(self, cut: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(cut, [None, *[self._sizes[0] if len({*self._sizes}) == 1 else None] * 2, 3])

    @staticmethod
    def _lit(cut: tf.Tensor, gains: Any) -> tf.Tensor:
        """In another light."""
        contrast, colours = tf.split(tf.reshape(gains, [-1, 1, 1, 4]), [1, 3], 3)
        mean = tf.reduce_mean(cut, [1, 2], keepdims=True)
        return tf.clip_by_value(cut * (contrast * colours) + mean * (colours - contrast * colours), 0, 255)

    def _spoilt(self, pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
        if not (kinds := self._strengths.corruptions):
            return pixels
        drawn, seeds = random.integers(len(kinds), size=len(pixels)), random.integers(2**31, size=len(pixels))
        return np.concatenate(
            [corrupt(kinds[kind], pixels[at : at + 1], seeds[at : at + 1]) for at, kind in enumerate(drawn)]
        )

    def _mix(self, random: np.random.Generator) -> tuple[Floats, np.float32]:
        """Which region of a batch takes how much of the other photo."""
        if not self._mixes:
            return np.zeros(4, np.float32), np.float32(0)
        kind, alpha = self._mixes[random.integers(len(self._mixes))]
        share = random.beta(alpha, alpha)
        if kind == "mixup":
            return np.array([0, 0, 1, 1], np.float32), np.float32(min(share, 1 - share))
        side = np.sqrt(share)
        top, left = random.uniform(0, 1 - side, 2)
        return np.array([top, left, top + side, left + side], np.float32), np.float32(1)


class OfPixels(Augmentation):
    """The same where each pixel has a target: photos and targets go through the same transform.

    Masks, uint8 of the classes' numbers, become one-hot targets of half of the side, with nothing of void and of what
    lies outside of a photo; pictures become targets in 0..1.
    """

    def __init__(self, photos: Pixels, data: Dataset, sizes: list[int], epochs: int, strengths: Strengths) -> None:
        super().__init__(photos, data, sizes, epochs, strengths)
        assert isinstance(data.task, DenseTask)
        self._link, self._colours = data.task.link, data.task.channels
        self._targets = lru_cache(KEPT // (photos.size**2 * (1 if self._link.coarse else self._colours)))(self._read)

    def feed(self) -> Feed:
        types = (tf.uint8, tf.int32, *[tf.float32] * 4, tf.uint8)
        return Feed(self.draw, types, self.prepare, self._whole, self.work)

    def plain(self, some: Ints) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:  # type: ignore[override]
        """The photos numbered `some` as they are stored, and their targets, as large."""
        return self._photos[self._data.rows[some]], np.stack([self._targets(int(each)) for each in some])

    def _read(self, number: int) -> NDArray[np.uint8]:
        return self._data.target(number, self._photos.size)

    def _whole(self, some: Ints) -> tuple[NDArray[np.uint8], Floats]:
        photos, targets = self.plain(some)
        if not self._link.coarse:
            return photos, targets.astype(np.float32) / np.float32(BRIGHTEST)
        half = targets[:, 1::2, 1::2]  # as of a mask that is resized to half of its side
        return photos, (half[..., None] == np.arange(self._link.channels)).astype(np.float32)

    def prepare(
        self, pixels: Any, side: Any, transforms: Any, gains: Any, region: Any, share: Any, targets: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The batch, float32 [n, side, side, 3] in 0..255, and its targets [n, side / 2, side / 2, classes], or of
        pictures [n, side, side, channels]."""
        del region, share  # photos are not mixed
        cut = self._lit(_cut(pixels, transforms, side, "BILINEAR", "REFLECT", 0.0), gains)
        if not self._link.coarse:
            shown = _cut(targets, transforms, side, "BILINEAR", "REFLECT", 0.0, self._colours) / BRIGHTEST
            return self._shaped(cut), tf.ensure_shape(shown, [None, None, None, self._colours])
        masks = _cut(targets[..., None], _halved(transforms), side // 2, "NEAREST", "CONSTANT", -1.0, 1)
        one_hot = tf.cast(masks == tf.range(self._link.channels, dtype=tf.float32), tf.float32)
        return self._shaped(cut), tf.ensure_shape(one_hot, [None, None, None, self._link.channels])


class Cropped(OfPixels):
    """Crops of the photos at their own scale, that start at whole pixels; half of them are mirrored."""

    def _boxes(self, random: np.random.Generator, count: int, side: int) -> NDArray[np.float64]:
        if side > (size := self._photos.size):
            raise BadInput(f"sizes: a crop of {side} is larger than the photos, which are stored at {size}")
        corners = random.integers(0, size - side + 1, (2, count)) / size
        mirrored = random.random(count) < (0.5 if self._strengths.flip else 0)
        (top, left), length = corners, side / size
        across = np.where(mirrored, [left + length, left], [left, left + length])
        return np.stack([top, across[0], top + length, across[1]], 1)


def _halved(transforms: Any) -> tf.Tensor:
    """The same transforms to half of the side: pixel centres lie between those of two pixels."""
    a, b, c, d, e, f, *rest = tf.unstack(tf.ensure_shape(transforms, [None, 8]), axis=1)
    return tf.stack([2 * a, 2 * b, c + (a + b) / 2, 2 * d, 2 * e, f + (d + e) / 2, *rest], 1)


def _cut(
    pixels: Any, transforms: Any, side: Any, interpolation: str, fill: str, value: float, channels: int = 3
) -> tf.Tensor:
    """What the transforms show: float32 [n, side, side, channels]."""
    return tf.raw_ops.ImageProjectiveTransformV3(
        # As floats, since the operation rounds whole numbers down, and takes longer for it.
        images=tf.cast(tf.ensure_shape(pixels, [None, None, None, channels]), tf.float32),
        transforms=transforms,
        output_shape=tf.stack([side, side]),
        interpolation=interpolation,
        fill_mode=fill,
        fill_value=value,
    )


def _inside(region: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """1 where a pixel's centre lies in the region, else 0: float32 [side, side, 1]."""
    at = (tf.range(tf.cast(side, tf.float32)) + 0.5) / tf.cast(side, tf.float32)
    rows, columns = (tf.cast((at >= region[axis]) & (at < region[axis + 2]), tf.float32) for axis in range(2))
    return (rows[:, None] * columns[None])[..., None]
