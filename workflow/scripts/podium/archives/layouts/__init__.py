"""How an archive is laid out: the menu, and a file for each layout, named as in the competition file. No TensorFlow.

A layout's file has `photos`, which lists the archive's photos as a table with the columns LISTED, and `reader`, which
gives a listed photo's encoded bytes by its `file`. If a member contains many photos, a `file` is the member and a
number in it.
"""

import importlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from podium.step import BadInput

if TYPE_CHECKING:  # so that the plan, which reads the menu, starts without them
    import pandas as pd

    from podium.archives.opening import Archive

LISTED = ["id", "file", "label", "split", "reason", "group"]
UNLABELLED = "the label is empty"  # the reason why a row with a photo is set aside
MARK = "#"  # between a member and a number in it


class Layout(NamedTuple):
    """What is known of a layout before an archive is opened; its settings are those that the schema has under its name.

    `may_label_test` takes these settings and says whether they allow the test photos to have labels.
    """

    may_label_test: Callable[[dict[str, Any]], bool] = lambda _: True


# By the names of their files, in the order in which messages list them.
LAYOUTS = {
    "tables": Layout(may_label_test=lambda _: False),
    "folders": Layout(),
    "names": Layout(may_label_test=lambda spec: "holdout" in spec or "{label}" in spec["test"]),
    "idx": Layout(may_label_test=lambda spec: "labels" in spec["test"]),
    "cifar": Layout(),
    "tfrecord": Layout(),
}


class Labels(Protocol):
    """How the competition's task reads labels."""

    @property
    def itself(self) -> bool:
        """Whether photos to train on are their own labels."""

    def read(self, cell: str) -> str:
        """The label as the index stores it; raises ValueError, which says why not."""

    def read_file(self, name: str) -> str:
        """The same of a label that is a file of the archive; raises ValueError if none can be."""

    def read_columns(self, cells: dict[str, str]) -> str:
        """The same from several columns' cells; raises ValueError, which says why not."""

    def joined(self, stored: list[str]) -> str:
        """The one stored label of several of the same photo; raises ValueError if they do not go together."""

    def names(self, stored: str) -> list[str]:
        """The names in a stored label."""


def photos(archive: "Archive", layout: dict[str, Any], labels: Labels, **checks: Any) -> "pd.DataFrame":
    """All photos as a table with the columns LISTED, split by split.

    `reason` states why a file cannot be read, and is empty if it can be. `group` names what a photo shares with others
    (a patient, a burst), and is empty if it shares nothing. `layout` is the one key of the competition file that
    describes how the archive is laid out, with its value. Raises BadInput, naming table, member or row, if the archive
    is laid out differently.
    """
    ((name, spec),) = layout.items()
    return importlib.import_module(f"podium.archives.layouts.{name}").photos(archive, spec, labels, **checks)


def features(archive: "Archive", layout: dict[str, Any]) -> "pd.DataFrame | None":
    """Numbers that the archive gives beside the photos, float32 by `split` and `id`; None if there are none."""
    ((name, spec),) = layout.items()
    module = importlib.import_module(f"podium.archives.layouts.{name}")
    return module.features(archive, spec) if hasattr(module, "features") else None


def reader(archive: "Archive", layout: dict[str, Any]) -> Callable[[str], bytes]:
    """A function that gives a photo's encoded bytes by its `file`; it is thread-safe and may raise BadInput."""
    ((name, spec),) = layout.items()
    return importlib.import_module(f"podium.archives.layouts.{name}").reader(archive, spec)


def numbered(opened: Callable[[str], Callable[[int], bytes]]) -> Callable[[str], bytes]:
    """A reader of members that contain many photos: `opened` gives a member's photos by their number.

    Photos are read in the index's order, so a member is opened once; two are kept open for the change from one to the
    next.
    """
    lock, kept = Lock(), lru_cache(2)(opened)

    def read(file: str) -> bytes:
        member, _, number = file.rpartition(MARK)
        with lock:
            photo = kept(member)
        return photo(int(number))

    return read


def listed(split: str, member: str, labels: list[str], first: int) -> "pd.DataFrame":
    """The photos of one member, with stored labels; their ids are their numbers in the split, counted from `first`."""
    import pandas as pd

    ids = [str(first + number) for number in range(len(labels))]
    files = [f"{member}{MARK}{number}" for number in range(len(labels))]
    return pd.DataFrame({"id": ids, "file": files, "label": labels, "split": split, "reason": "", "group": ""})


def class_names(numbers: Iterable[int], classes: list[str] | None, member: str) -> list[str]:
    """The names of class numbers: the classes' names, or the numbers if the competition file names no classes."""
    labels = []
    for place, number in enumerate(numbers):
        if classes and not 0 <= number < len(classes):
            known = f"0 to {len(classes) - 1}"
            raise BadInput(
                f"{member}: label {number} of photo {place} is not one of the {len(classes)} `classes`, {known}"
            )
        labels.append(classes[number] if classes else str(number))
    return labels
