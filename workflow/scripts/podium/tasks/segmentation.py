"""A class for each pixel. Targets are masks of the classes' numbers; pixels that are of no class, `VOID`, count neither
in the loss nor in the figures. Predictions are probabilities.
"""

import json
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from podium.photos import masks
from podium.photos.masks import VOID
from podium.step import BadInput
from podium.tasks import Decision, general
from podium.tasks.cells import Form, Sample
from podium.tasks.dense import DenseTask
from podium.tasks.dense_links import SoftmaxOfPixels
from podium.tasks.measures import as_rows

SHAPED = ("[", "{")  # what polygons and counts in JSON begin with
REST = "background"  # the class of pixels in no shape; without it, they are of none
STRATA = 10  # equally large parts of the photos, by the share of the answer's class
THRESHOLDS = np.arange(0.5, 1.0, 0.05)  # of overlap, of the metric `iou_precision`
LEAST_SIDE, COARSE = 16, 64  # of masks that only shares are counted in
COUNTED = 200  # of these, about
# What the loss of a metric adds to cross-entropy: Dice, unless each photo's overlap counts by itself. (Of 11 classes,
# Lovász's extension reached a mean intersection over union of 0.640 where Dice reached 0.647, in more time.)
OVERLAPS: dict[str, Literal["dice", "iou"]] = dict.fromkeys(("mean_dice", "mean_iou", "iou", "boundary_f1"), "dice")
OVERLAPS["iou_precision"] = "iou"
BALANCE = 0.5  # where the metric counts classes alike
STEPS = [number / 20 for number in range(5, 16)]  # probabilities tried as thresholds
COLOURS = "tab20"  # of matplotlib, for classes in their order
VOID_COLOUR, WRONG_COLOUR = (0.85, 0.85, 0.85), (0.85, 0.1, 0.1)
PARTS = [0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05]  # shares of the photo tried as the least size of a mask

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Names = NDArray[np.str_]
Value = int | str  # in a mask: a number, or a colour


class Task(DenseTask):
    """Softmax over the classes of each pixel."""

    unit, fewest, resampling = "classes", 2, Image.Resampling.NEAREST
    measure, gravity, label_figures = "pixel_accuracy", "error", ("iou", "dice", "share")

    def __init__(
        self,
        classes: dict[str, Value | list[Value]] | None,
        void: list[Value],
        answer: str | None,
        runs: masks.Order,
        **square: Any,
    ) -> None:
        """`classes` are the values of masks by the classes' names, numbers or colours such as `#804020`, by default 1
        for the `answer` and 0 for the rest; `void` those of no class."""
        super().__init__(**square)
        classes = classes or {"background": 0, answer or "foreground": 1}
        said = {name: each if isinstance(each, list) else [each] for name, each in classes.items()}
        _check_values({**said, "void": void})
        self._in_colours = isinstance(next(iter(said.values()))[0], str)
        self._values = {name: [*map(_number, each)] for name, each in said.items()}
        self._void, self._answer, self._runs = [*map(_number, void)], answer, runs

    @cached_property
    def _names(self) -> list[str]:
        return list(self._values)

    @property
    def channels(self) -> int:
        return len(self._names)

    @property
    def link(self) -> SoftmaxOfPixels:  # type: ignore[override]
        return SoftmaxOfPixels(self.channels, OVERLAPS.get(self.metric))

    @property
    def _chosen(self) -> int:
        """The number of the class whose pixels are handed in as runs: the last one by name, if none is named."""
        return self._names.index(self._answer) if self._answer else len(self._names) - 1

    @property
    def _beta(self) -> float | None:
        """Of the metric, where it is about edges."""
        name, beta = general(self.metric)
        return beta if name == "boundary_f#" else None

    @property
    def decided_by(self) -> str:
        return self.title

    # The target

    def read(self, cell: str) -> str:
        if cell[:1] in SHAPED:
            return self.read_columns({"class": self._names[self._chosen], "shape": cell})
        return f"runs:{cell}"

    def read_columns(self, cells: dict[str, str]) -> str:
        """Of a column of classes and one of shapes, in COCO's form; both are empty where there is none."""
        shapes = [cell for cell in cells.values() if cell[:1] in SHAPED]
        names = [cell for cell in cells.values() if cell and cell[:1] not in SHAPED]
        if len(cells) != 2 or len(shapes) != len(names):
            raise ValueError(f"a mask is one column, or one of classes and one of shapes, not {', '.join(cells)}")
        for name in names:
            if name not in self._names:
                raise ValueError(f"the class '{name}' is not one of {', '.join(self._names)}")
        return f"shapes:{json.dumps([*zip(names, shapes, strict=True)])}"

    def joined(self, stored: list[str]) -> str:
        """Several shapes of a photo; later ones lie over earlier ones."""
        kinds = {each.partition(":")[0] for each in stored}
        if kinds != {"shapes"}:
            return super().joined(stored)
        return f"shapes:{json.dumps([each for said in stored for each in json.loads(said.partition(':')[2])])}"

    def read_file(self, name: str) -> str:
        return f"file:{name}"

    def drawn(self, stored: str, read: Callable[[str], bytes], width: int, height: int) -> bytes:
        """The PNG file of the mask that `read` or `read_file` stored of a photo of this size; raises ValueError."""
        kind, _, said = stored.partition(":")
        if kind == "runs":
            if len(self._names) != 2:
                raise ValueError(f"run lengths are of two classes, not of {len(self._names)}")
            found = masks.from_runs(said, width, height, self._runs)
            return masks.encode(np.where(found, self._chosen, 1 - self._chosen).astype(np.uint8))
        if kind == "shapes":
            rest = self._names.index(REST) if REST in self._names else VOID
            ids = np.full((height, width), rest, np.uint8)
            for name, shape in json.loads(said):
                ids[masks.from_shape(shape, width, height)] = self._names.index(name)
            return masks.encode(ids)
        values = masks.read(read(said), colours=self._in_colours)
        if values.shape != (height, width):
            raise ValueError(f"the mask has {values.shape[1]} x {values.shape[0]} pixels, the photo {width} x {height}")
        ids = np.full(values.shape, VOID, np.uint8)
        known = np.isin(values, self._void)
        for number, each in enumerate(self._values.values()):
            own = np.isin(values, each)
            ids[own], known = number, known | own
        if not known.all():
            raise ValueError(f"the mask has the {self._named(int(values[~known][0]))}, which no class has")
        return masks.encode(ids)

    def _named(self, value: int) -> str:
        return f"colour {masks.hexadecimal(value)}" if self._in_colours else f"value {value}"

    def names(self, stored: str) -> list[str]:
        return self._names if stored else []

    def labels(self, stored: Iterable[str]) -> list[str]:
        return self._names if any(True for _ in stored) else []

    def strata(self, truth: Names) -> Ints:
        """Tenths of the photos, by how much of each is of the class that is answered."""
        shares = np.array([np.mean(self.target(name, LEAST_SIDE) == self._chosen) for name in truth])
        return shares.argsort(kind="stable").argsort(kind="stable") * STRATA // max(len(truth), 1)

    def pseudo_target(self, prediction: Floats, side: int) -> masks.Ids:
        answer = self.answered(self.shaped(prediction), {}).astype(np.uint8)
        return np.asarray(Image.fromarray(answer).resize((side, side), self.resampling))

    # The network

    @property
    def balance(self) -> float:  # type: ignore[override]
        return BALANCE if self.metric.startswith("mean_") else 0.0

    def frequencies(self, truth: Names, labels: list[str]) -> Ints:
        """Of the pixels of some photos."""
        some = truth[:: max(1, len(truth) // COUNTED)]
        found = np.concatenate([self.target(name, COARSE).ravel() for name in some])
        return np.bincount(found, minlength=VOID + 1)[: len(labels)]

    def targets(self, truth: Names, outputs: int) -> Floats:
        """One-hot by pixels [n, outputs]; nothing of void."""
        found = np.stack([self.target(name, self.side) for name in truth])
        return (found[..., None] == np.arange(self.channels)).astype(np.float32).reshape(len(truth), outputs)

    def measured(self) -> Any:
        """The share of pixels that are right, without void."""
        import keras

        def pixel_accuracy(targets: Any, logits: Any) -> Any:
            counted = keras.ops.max(targets, -1)
            right = keras.ops.cast(keras.ops.argmax(targets, -1) == keras.ops.argmax(logits, -1), "float32")
            return keras.ops.sum(right * counted) / keras.ops.maximum(keras.ops.sum(counted), 1)

        return pixel_accuracy

    # Predictions

    def guide(self, truth: Names, predictions: Floats) -> float:
        """The metric itself, the more the better, as pixels are many; of the masks at the size of predictions."""
        figures = self.figures(self.evidence(truth, predictions, {}, len(self.shaped(predictions[0]))))
        return figures[self.title] * (-1 if self.metrics[self.title] else 1)

    def decision(self, truth: Names, predictions: Floats) -> Decision:
        """For one class that is handed in as runs: the `threshold` of its probability, and the `least` share of the
        photo that it has."""
        if self._answer is None:
            return {}
        tried = [{"threshold": step, "least": 0.0} for step in STEPS]
        best = min(tried, key=lambda how: self._loss(truth, predictions, how))
        tried = [best | {"least": part} for part in PARTS]
        return min(tried, key=lambda how: self._loss(truth, predictions, how))

    def _loss(self, truth: Names, predictions: Floats, how: Decision) -> float:
        value = self.figures(self.evidence(truth, predictions, how, self.side))[self.title]
        return -value if self.metrics[self.title] else value

    def answered(self, probabilities: Floats, decision: Decision) -> Ints:
        """The class's number of each pixel, of probabilities [height, width, classes]."""
        answer = probabilities.argmax(-1)
        if "threshold" not in decision:
            return answer
        is_it = probabilities[..., self._chosen] > decision["threshold"]
        if is_it.mean() < decision["least"]:
            is_it[:] = False
        others = probabilities.copy()
        others[..., self._chosen] = -1
        return np.where(is_it, self._chosen, others.argmax(-1))

    def answers(self, predictions: Floats, decision: Decision) -> Ints:
        """The classes' numbers of each photo, [n, side, side]."""
        return np.stack([self.answered(self.shaped(each), decision) for each in predictions])

    def shown(self, predictions: Floats, decision: Decision, labels: list[str]) -> pd.DataFrame:
        """The share of the photo that each class has."""
        found = self.answers(predictions, decision)
        return pd.DataFrame({label: (found == number).mean((1, 2)) for number, label in enumerate(labels)})

    # Scores

    def trivial(self, truth: Names, evidence: NDArray[Any], decision: Decision) -> dict[str, NDArray[Any]]:  # noqa: ARG002
        """One class everywhere."""
        found = {}
        for number, name in enumerate(self._names):
            confusion = np.zeros_like(evidence["confusion"])
            confusion[:, :, number] = evidence["confusion"].sum(2)
            edges = evidence["edges"] * np.array([[0], [1], [0], [0]])  # an answer without edges
            found[f"all {name}"] = as_rows({"confusion": confusion, "edges": edges})
        return found

    def evidence(self, truth: Names, predictions: Floats, decision: Decision, side: int | None = None) -> NDArray[Any]:
        """The confusion of each photo's pixels, int [n, classes, classes] with the truth in rows, at its own size, and
        where the metric asks for it the counts of `masks.edges`, int [n, 4, classes]."""
        classes, of_edges = len(self._names), self._beta is not None
        found = np.zeros((len(truth), classes, classes), np.int64)
        edges = np.zeros((len(truth), 4, classes if of_edges else 0), np.int64)
        for number, (name, prediction) in enumerate(zip(truth, predictions, strict=True)):
            true = self.target(name, side)
            sized = self.shaped(prediction) if side else self.sized(prediction, true.shape[1], true.shape[0])
            answer, counted = self.answered(sized, decision), true != VOID
            pairs = true[counted].astype(np.int64) * classes + answer[counted]
            found[number] = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
            if of_edges:
                edges[number] = masks.edges(true, np.where(counted, answer, VOID), classes)
        return as_rows({"confusion": found, "edges": edges})

    def figures(self, evidence: NDArray[Any]) -> dict[str, float]:
        own = {"iou_precision": partial(self._iou_precision, evidence["confusion"])}
        if self._beta:
            own[self.title] = partial(_boundary_f, evidence["edges"], self._beta)
        return {name: own.get(name, partial(self._figure, name, evidence["confusion"]))() for name in self.metrics}

    def _figure(self, metric: str, confusions: Ints) -> float:
        """Of all pixels together."""
        total = confusions.sum(0)
        right, true, said = np.diag(total), total.sum(1), total.sum(0)
        there = true + said > 0
        if metric == "pixel_accuracy":
            return float(right.sum() / max(total.sum(), 1))
        if metric == "mean_iou":
            return float((right[there] / (true + said - right)[there]).mean())
        if metric == "mean_dice":
            return float((2 * right[there] / (true + said)[there]).mean())
        own = self._chosen
        return float(right[own] / max(true[own] + said[own] - right[own], 1))

    def _iou_precision(self, confusions: Ints) -> float:
        """The mean share of the thresholds 0.5, 0.55, … 0.95 that a photo's overlap is above; 1 where neither the truth
        nor the answer has any, 0 where only one of them has."""
        own = self._chosen
        both = confusions[:, own, own]
        either = confusions[:, own].sum(1) + confusions[:, :, own].sum(1) - both
        overlap = np.where(either > 0, both / np.maximum(either, 1), 1.0)
        return float((overlap[:, None] > THRESHOLDS).mean())

    def label_scores(self, evidence: NDArray[Any], labels: list[str]) -> pd.DataFrame:
        """From the summed confusion: intersection over union, Dice, and the class's share of the pixels."""
        total = evidence["confusion"].sum(0)
        right, true, said = np.diag(total), total.sum(1), total.sum(0)
        with np.errstate(invalid="ignore"):
            figures = {"iou": right / (true + said - right), "dice": 2 * right / (true + said)}
        photos = (evidence["confusion"].sum(2) > 0).sum(0)
        return pd.DataFrame({"label": labels, **figures, "share": true / max(total.sum(), 1), "photos": photos})

    def mistakes(self, evidence: NDArray[Any], labels: list[str]) -> pd.DataFrame:
        """By the share of the pixels that are wrong; `predicted` is the class that is most often taken for another."""
        confusions = evidence["confusion"]
        right = np.einsum("nii->n", confusions)
        error = 1 - right / np.maximum(confusions.sum((1, 2)), 1)
        wrong = confusions * (1 - np.eye(confusions.shape[1], dtype=np.int64))
        said = [labels[number] for number in wrong.sum(1).argmax(1)]
        return pd.DataFrame({"wrong": error > 0, "predicted": said, "error": error})

    # Pictures and submissions

    def pictures(self, photo: masks.Ids, truth: masks.Ids, answer: Ints) -> dict[str, NDArray[Any]]:
        """The mask, the answer and what is wrong, beside the photo."""
        wrong = (answer != truth) & (truth != VOID)
        shown = {"truth": self._coloured(truth), "answer": self._coloured(answer)}
        return {"photo": photo, **shown, "wrong": np.where(wrong[..., None], WRONG_COLOUR, 1.0)}

    def legend(self, labels: list[str]) -> dict[str, NDArray[Any]]:
        colours = {label: self._coloured(np.array([[number]]))[0, 0] for number, label in enumerate(labels)}
        return {**colours, "void": np.array(VOID_COLOUR)}

    def _coloured(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """Classes' numbers [h, w] as colours [h, w, 3]; void is grey."""
        from matplotlib import colormaps

        colours = np.array(colormaps[COLOURS].colors)  # type: ignore[attr-defined]
        found = colours[ids % len(colours)]
        found[ids == VOID] = VOID_COLOUR
        return found

    def check_form(self, sample: Sample, form: Form, labels: list[str]) -> None:  # noqa: ARG002
        if self._answer is not None and self._answer not in self._names:
            raise BadInput(f"segmentation.answer: no class is called '{self._answer}'")
        if form.kind == "runs" and len(sample.columns) != 1:
            raise BadInput(f"{sample.name}: line 1: {len(sample.columns)} columns next to the id, but runs need one")

    def cell(self, prediction: Floats, decision: Decision, width: int, height: int) -> str:
        """Run lengths, proven by reading them."""
        mask = self.answered(self.sized(prediction, width, height), decision) == self._chosen
        text = masks.runs(mask, self._runs)
        if not np.array_equal(masks.from_runs(text, width, height, self._runs), mask):
            raise ValueError("run lengths do not give the mask that they were made of")
        return text

    def file(self, prediction: Floats, decision: Decision, width: int, height: int) -> bytes:
        """A PNG file of the values that masks of the archive have, at the photo's size."""
        values = np.array([each[0] for each in self._values.values()])
        answer = self.answered(self.sized(prediction, width, height), decision)
        if self._in_colours:
            return masks.encode(masks.channels(values[answer]))
        values = values.astype(np.uint8 if values.max() <= np.iinfo(np.uint8).max else np.uint16)
        return masks.encode(values[answer])

    def check_file(self, where: str, data: bytes, width: int, height: int) -> None:
        values = masks.read(data, colours=self._in_colours)
        self.check_size(where, values, width, height)
        if unknown := set(np.unique(values).tolist()) - {each[0] for each in self._values.values()}:
            raise BadInput(f"{where}: no class has the {self._named(min(unknown))}")

    def check_cells(self, where: str, cells: dict[str, str], form: Form, labels: list[str]) -> None:  # noqa: ARG002
        for cell in cells.values():
            numbers = cell.split()
            if len(numbers) % 2 or not all(number.isdigit() for number in numbers):
                raise BadInput(f"{where}: '{cell[:40]}' are no pairs of starts and lengths")


def _boundary_f(edges: Ints, beta: float) -> float:
    """The mean over photos of the mean over their classes, of `masks.edges`. Source: Csurka et al., "What is a good
    evaluation measure for semantic segmentation?", 2013."""
    near_said, true, near_true, said = np.moveaxis(edges, 1, 0).astype(np.float64)
    there = (true + said) > 0
    precision, recall = near_said / np.maximum(said, 1), near_true / np.maximum(true, 1)
    weighed = np.maximum(beta**2 * precision + recall, np.finfo(float).tiny)
    each = ((1 + beta**2) * precision * recall / weighed * there).sum(1) / np.maximum(there.sum(1), 1)
    return float(np.where(there.any(1), each, 1.0).mean())


def _check_values(said: dict[str, list[Value]]) -> None:
    """Raises BadInput for a value of two classes, and for numbers beside colours."""
    owners = dict[Value, str]()
    for name, values in said.items():
        for value in values:
            if (other := owners.setdefault(value, name)) != name:
                raise BadInput(f"segmentation.classes: '{other}' and '{name}' both have the value {value}")
    if len({type(value) for value in owners}) > 1:
        raise BadInput(f"segmentation.classes: {', '.join(map(str, owners))}: give either numbers or colours")


def _number(value: Value) -> int:
    return value if isinstance(value, int) else int(value.removeprefix("#"), 16)
