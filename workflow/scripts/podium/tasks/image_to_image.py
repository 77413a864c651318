"""A picture for a photo, grey or in colours. Targets are the pictures; predictions are their channels in 0..1.

Where the photos are shown in grey, the photo itself is the target. Figures are of the pictures as they are handed in,
8 bits a channel, at the photo's own size.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from podium.photos import images
from podium.step import BadInput
from podium.tasks import Decision
from podium.tasks.cells import Form, Sample
from podium.tasks.dense import DenseTask, Names
from podium.tasks.dense_links import LUMA, ColourBins, Residual
from podium.tasks.measures import as_rows

WHITE = 255
LEAST = 1e-10  # mean squared error: 100 dB, as if a picture were right
COUNTED = 200  # pictures, about, of which the mean colour is computed
LOUDER = 4  # times are errors in pictures
COARSE = 32  # the side of pictures that only colours are counted in
WINDOW = 7  # pixels, of the structural similarity
BARE = "grey"  # the name of the only channel of a picture without colours

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Picture = NDArray[np.uint8]


class Task(DenseTask):
    """What is to be added to each pixel."""

    unit, fewest, resampling = "channels", 1, Image.Resampling.BICUBIC
    measure, gravity, label_figures = "rmse", "rmse", ("rmse", "mae")

    def __init__(self, input: str, output: str, colours: str = "continuous", **square: Any) -> None:
        """`input` is the `photo`, or its `grey`; `output` a picture in `colour` or in `grey`; `colours` of grey photos
        are fitted as they are, `continuous`, or as classes, in `bins`."""
        super().__init__(**square)
        self._grey, self._names = input == "grey", [BARE] if output == "grey" else ["red", "green", "blue"]
        self.itself, self._in_bins = self._grey, colours == "bins"

    @property
    def channels(self) -> int:
        return len(self._names)

    @property
    def link(self) -> Residual | ColourBins:  # type: ignore[override]
        if self._in_bins:
            return ColourBins()
        return Residual(self.metric, grey=self._grey, colours=self.channels)

    @property
    def decided_by(self) -> str:
        return self.title

    # The target

    def read(self, cell: str) -> str:
        raise ValueError(f"a picture is a file of the archive, not '{cell}'")

    def read_file(self, name: str) -> str:
        return name

    def drawn(self, stored: str, read: Callable[[str], bytes], width: int, height: int) -> bytes:
        """A PNG file of 8 bits a channel."""
        try:
            pixels = images.whole(read(stored), "L" if self.channels == 1 else "RGB")
        except images.Unreadable as error:
            raise ValueError(f"its target {stored} is no image ({error})") from None
        if pixels.shape[:2] != (height, width):
            raise ValueError(
                f"its target {stored} has {pixels.shape[1]} x {pixels.shape[0]} pixels, the photo {width} x {height}"
            )
        return images.png(pixels)

    def names(self, stored: str) -> list[str]:  # noqa: ARG002
        return []

    def labels(self, stored: Iterable[str]) -> list[str]:
        return self._names if any(stored) else []

    def strata(self, truth: Names) -> Ints:
        """All alike."""
        return np.zeros(len(truth), np.int64)

    def target(self, name: str, side: int | None = None) -> Picture:
        found = super().target(name, side)
        return found.reshape(*found.shape[:2], self.channels)

    def pseudo_target(self, prediction: Floats, side: int) -> Picture:
        shown = _bytes(self.shaped(prediction))
        layers = [Image.fromarray(each).resize((side, side), self.resampling) for each in np.moveaxis(shown, -1, 0)]
        return np.stack([np.asarray(each) for each in layers], -1)

    # The network

    @property
    def balance(self) -> float:  # type: ignore[override]
        """All colours count alike where they are classes, but for those that hardly occur."""
        return 1.0 if self._in_bins else 0.0

    def frequencies(self, truth: Names, labels: list[str]) -> Ints:  # noqa: ARG002
        """Of the colours that are told apart, in some pictures."""
        link = self.link
        assert isinstance(link, ColourBins)
        some = truth[:: max(1, len(truth) // COUNTED)]
        return np.sum([link.frequencies(self.target(name, COARSE)) for name in some], axis=0)

    def targets(self, truth: Names, outputs: int) -> Floats:
        found = np.stack([self.target(name, self.side) for name in truth])
        return found.astype(np.float32).reshape(len(truth), outputs) / np.float32(WHITE)

    def measured(self) -> Any:
        """The root of the mean squared error of a batch."""
        import keras

        link = self.link

        def rmse(targets: Any, outputs: Any) -> Any:
            return keras.ops.sqrt(keras.ops.mean(keras.ops.square(targets - link.pictures(outputs))))

        return rmse

    # Predictions

    def guide(self, truth: Names, predictions: Floats) -> float:
        """The metric itself, of the square pictures."""
        side = self.shaped(predictions[0]).shape[0]
        pairs = [
            (self.target(name, side), _bytes(self.shaped(each))) for name, each in zip(truth, predictions, strict=True)
        ]
        value = self.figures(_evidence(pairs))[self.title]
        return -value if self.metrics[self.title] else value

    def limits(self, truth: Names) -> Decision:
        """The `mean` of the pictures' colours in 0..255, to compare with."""
        some = truth[self.known(truth)][:: max(1, len(truth) // COUNTED)]
        return {"mean": np.mean([self.target(name).mean((0, 1)) for name in some], axis=0).round(2).tolist()}

    def decision(self, truth: Names, predictions: Floats) -> Decision:  # noqa: ARG002
        return {}

    def answered(self, sized: Floats, decision: Decision) -> Picture:  # noqa: ARG002
        return _bytes(sized)

    def answers(self, predictions: Floats, decision: Decision) -> Picture:
        return np.stack([self.answered(self.shaped(each), decision) for each in predictions])

    def shown(self, predictions: Floats, decision: Decision, labels: list[str]) -> pd.DataFrame:
        """The mean of each channel, in 0..255."""
        return pd.DataFrame(self.answers(predictions, decision).mean((1, 2)), columns=labels)

    # Scores

    def evidence(self, truth: Names, predictions: Floats, decision: Decision) -> NDArray[Any]:
        pairs = []
        for name, prediction in zip(truth, predictions, strict=True):
            true = self.target(name)
            pairs.append((true, self.answered(self.sized(prediction, true.shape[1], true.shape[0]), decision)))
        return _evidence(pairs)

    def trivial(self, truth: Names, evidence: NDArray[Any], decision: Decision) -> dict[str, NDArray[Any]]:  # noqa: ARG002
        """Where photos are shown in grey that itself, and with the mean chroma; else the mean colour."""
        mean, pairs = np.array(decision["mean"]), dict[str, list[tuple[Picture, Picture]]]()
        for name in truth:
            true = self.target(name)
            if self._grey:
                grey = np.asarray(Image.fromarray(true.squeeze()).convert("L"), np.float64)[..., None]
                answers = {
                    "the grey photo": grey + np.zeros(self.channels),
                    "with the mean colour": grey + _chroma(mean),
                }
            else:
                answers = {"the mean colour": np.broadcast_to(mean, true.shape)}
            for called, answer in answers.items():
                pairs.setdefault(called, []).append((true, _bytes(answer / WHITE)))
        return {called: _evidence(own) for called, own in pairs.items()}

    def figures(self, evidence: NDArray[Any]) -> dict[str, float]:
        """PSNR, similarity and the error in Lab are means of the photos', RMSE and MAE are of all pixels in 0..1;
        the photos are as colourful as the true ones where `colourfulness` is 1."""
        squared, pixels = evidence["squared"], evidence["pixels"]
        each = squared.mean(1) / pixels
        found = {
            "psnr": float(np.mean(-10 * np.log10(np.maximum(each, LEAST)))),
            "ssim": float(evidence["ssim"].mean()),
            "rmse": float(np.sqrt(squared.mean(1).sum() / pixels.sum())),
            "mae": float(evidence["absolute"].mean(1).sum() / pixels.sum()),
            "lab_mae": float(evidence["lab"].mean()),
            "colourfulness": float(evidence["colourful"].sum() / max(evidence["true_colourful"].sum(), LEAST)),
        }
        return {name: found[name] for name in self.metrics}

    def label_scores(self, evidence: NDArray[Any], labels: list[str]) -> pd.DataFrame:
        """Of each channel."""
        squared, absolute = (evidence[name].sum(0) / evidence["pixels"].sum() for name in ("squared", "absolute"))
        return pd.DataFrame({"label": labels, "rmse": np.sqrt(squared), "mae": absolute, "photos": len(evidence)})

    def mistakes(self, evidence: NDArray[Any], labels: list[str]) -> pd.DataFrame:  # noqa: ARG002
        error = np.sqrt(evidence["squared"].mean(1) / evidence["pixels"])
        said = [f"{-20 * np.log10(max(each, LEAST**0.5)):.1f} dB" for each in error]
        return pd.DataFrame({"wrong": error > 0, "predicted": said, "rmse": error})

    # Pictures and submissions

    def pictures(self, photo: Picture, truth: Picture, answer: Picture) -> dict[str, NDArray[Any]]:
        """The photo, the answer and the truth, and how far these are apart."""
        apart = np.abs(truth.astype(int) - answer).mean(-1, keepdims=True) * LOUDER
        error = WHITE - np.minimum(apart, WHITE).repeat(3, -1).astype(np.uint8)
        shown = {"answer": _in_colour(answer), "truth": _in_colour(truth)}
        return {"photo": photo, **shown, f"error x {LOUDER}": error}

    def legend(self, labels: list[str]) -> dict[str, NDArray[Any]]:  # noqa: ARG002
        return {}

    def check_form(self, sample: Sample, form: Form, labels: list[str]) -> None:  # noqa: ARG002
        if form.kind == "pixels" and self.channels > 1:
            raise BadInput(f"{sample.name}: a row for each pixel needs `image_to_image.output: grey`")
        if form.kind == "pixels" and len(sample.columns) != 1:
            raise BadInput(f"{sample.name}: line 1: {len(sample.columns)} columns next to the id, but pixels need one")

    def file(self, prediction: Floats, decision: Decision, width: int, height: int) -> bytes:
        """A PNG file of 8 bits a channel."""
        return images.png(self.answered(self.sized(prediction, width, height), decision))

    def check_file(self, where: str, data: bytes, width: int, height: int) -> None:
        try:
            pixels = images.whole(data, "L" if self.channels == 1 else "RGB")
        except images.Unreadable as error:
            raise BadInput(f"{where}: no image ({error})") from None
        self.check_size(where, pixels, width, height)


def _bytes(values: NDArray[Any]) -> Picture:
    """Of values in 0..1."""
    return np.rint(np.clip(values, 0, 1) * WHITE).astype(np.uint8)


def _chroma(colour: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a colour adds to its grey, [channels]."""
    return colour - np.dot(colour, LUMA) if len(colour) > 1 else np.zeros(1)


def _in_colour(picture: Picture) -> Picture:
    return np.broadcast_to(picture, (*picture.shape[:2], 3))


def _evidence(pairs: list[tuple[Picture, Picture]]) -> NDArray[Any]:
    """What the figures are computed from, a row for each true picture and its answer, both [height, width, channels].

    Structural similarity is that of Wang et al., 2004, as in scikit-image; colourfulness that of Hasler and Süsstrunk,
    "Measuring colourfulness in natural images", 2003.
    """
    from skimage.color import rgb2lab
    from skimage.metrics import structural_similarity

    rows = []
    for true, answer in pairs:
        apart = (answer.astype(np.float64) - true) / WHITE
        window = min(WINDOW, *(side - 1 + side % 2 for side in true.shape[:2]))
        similar = structural_similarity(true, answer, win_size=window, channel_axis=-1) if window > 1 else 1.0
        lab = np.abs(rgb2lab(_in_colour(true)) - rgb2lab(_in_colour(answer))).mean()
        colours = _colourfulness(answer), _colourfulness(true)
        rows.append(
            ((apart**2).sum((0, 1)), np.abs(apart).sum((0, 1)), true.shape[0] * true.shape[1], similar, lab, *colours)
        )
    names = ("squared", "absolute", "pixels", "ssim", "lab", "colourful", "true_colourful")
    return as_rows({name: np.array(each) for name, each in zip(names, zip(*rows, strict=True), strict=True)})


def _colourfulness(picture: Picture) -> float:
    red, green, blue = np.moveaxis(_in_colour(picture).astype(np.float64), -1, 0)
    both = np.stack([red - green, (red + green) / 2 - blue])
    return float(np.hypot(*both.std((1, 2))) + 0.3 * np.hypot(*both.mean((1, 2))))
