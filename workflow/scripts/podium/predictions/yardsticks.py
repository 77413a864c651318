"""The photos by which an experiment is judged, and the names of the figures on them. No TensorFlow."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import JUDGES, SPLITS
from podium.predictions.stored import Predictions
from podium.step import BadInput, log
from podium.tables import answered
from podium.tasks import Task


class Yardstick(NamedTuple):
    """Labelled photos, predicted by models that were not fitted on them.

    `rows` are their places in the predictions, `truth` their labels as the task stores them; `photos` are their rows of
    the index, whose groups are dealt and resampled as a whole. Of several photos of one id, it has the first.
    """

    name: str
    rows: NDArray[np.int64]
    truth: NDArray[Any]
    photos: pd.DataFrame

    def parts(self, count: int, seed: int = 0) -> NDArray[np.int64]:
        """The part, 0 to count-1, of each photo, int [n]; photos of one group are in the same part."""
        order = np.random.default_rng(seed).permutation(self.photos.group.nunique())
        return order[self.photos.group.factorize()[0]] % count


def yardsticks(task: Task, index: pd.DataFrame, predictions: Predictions) -> list[Yardstick]:
    """All yardsticks of these predictions; copies of training photos in the other splits do not count."""
    labels = task.taught(index)
    fitted = set(index.digest[index.split == "train"])
    found = []
    for split in SPLITS:
        photos = index[index.split == split]
        copied, own = photos.id[photos.digest.isin(fitted)], answered(photos)
        predicted = predictions.places(own)
        labelled = (own.label != "").to_numpy() & (predicted >= 0)
        counts = labelled & ((split == "train") | ~own.id.isin(copied).to_numpy())
        name = split
        if split == "train":
            name = "out_of_fold" if labelled.all() else "held_out"
        if copies := labelled.sum() - counts.sum():
            log.warning("%d %s photos are copies of training photos and do not count", copies, name)
        if counts.any():
            own = own[counts].reset_index(drop=True)
            found.append(Yardstick(name, predicted[counts], task.truth(own.label, labels), own))
    return found


def judge(task: Task, index: pd.DataFrame, predictions: Predictions, *, unknown: bool = False) -> Yardstick | None:
    """The yardstick on which calibration, blending and decisions are fitted, of the photos whose label the model can
    know, or with `unknown` of all its photos.

    None if no photo judges; test photos never do. Raises BadInput if there is a validation table but no yardstick.
    """
    by_name = {each.name: each for each in yardsticks(task, index, predictions)}
    for chosen in (by_name[name] for name in JUDGES if name in by_name):
        known = task.known(chosen.truth)
        if known.any():
            if unknown:
                return chosen
            photos = chosen.photos[known].reset_index(drop=True)
            return Yardstick(chosen.name, chosen.rows[known], chosen.truth[known], photos)
    if (index.split == "validation").any():
        raise BadInput(
            "no photo to judge by: all validation photos are copies of training photos or of unknown classes"
        )
    return None
