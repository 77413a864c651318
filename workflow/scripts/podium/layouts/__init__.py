"""How an archive is laid out: one file for each layout, named as in the competition file. No TensorFlow.

Each file has `photos`, which lists what the archive holds as a table of LISTED, and `reader`, which gives a listed
photo's encoded bytes by its `file`. Where many photos stand in one member, a `file` is the member and a number in it.
"""

import importlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from threading import Lock
from typing import Any

import pandas as pd

from podium.archive import Archive
from podium.step import BadInput

LISTED = ["id", "file", "label", "split", "reason", "group"]
MARK = "#"  # between a member and a number in it


def photos(archive: Archive, layout: dict[str, Any], **checks: Any) -> pd.DataFrame:
    """All photos as a table of LISTED, split by split; `reason` says why a file cannot be read, empty where it can be.

    `group` names what a photo shares with others (a patient, a burst), empty where it stands alone.
    `layout` is the one key of the competition file that says how the archive is laid out, and what stands under it.
    Raises BadInput, naming table, member or row, where the archive is not laid out so.
    """
    ((name, spec),) = layout.items()
    return importlib.import_module(f"podium.layouts.{name}").photos(archive, spec, **checks)


def reader(archive: Archive, layout: dict[str, Any]) -> Callable[[str], bytes]:
    """What gives a photo's encoded bytes by its `file`, from several threads too; it may raise BadInput."""
    ((name, spec),) = layout.items()
    return importlib.import_module(f"podium.layouts.{name}").reader(archive, spec)


def numbered(opened: Callable[[str], Callable[[int], bytes]]) -> Callable[[str], bytes]:
    """A reader of members that hold many photos: `opened` gives a member's photos by their number.

    Photos are asked for in the index's order, so a member is opened once; two are kept, for where one ends.
    """
    lock, kept = Lock(), lru_cache(2)(opened)

    def read(file: str) -> bytes:
        member, _, number = file.rpartition(MARK)
        with lock:
            photo = kept(member)
        return photo(int(number))

    return read


def listed(split: str, member: str, labels: list[str], first: int) -> pd.DataFrame:
    """The photos of one member, with their number in the split, from `first` on, as ids."""
    ids = [str(first + number) for number in range(len(labels))]
    files = [f"{member}{MARK}{number}" for number in range(len(labels))]
    return pd.DataFrame({"id": ids, "file": files, "label": labels, "split": split, "reason": "", "group": ""})


def class_names(numbers: Iterable[int], classes: list[str] | None, member: str) -> list[str]:
    """The labels of class numbers: their names, or the numbers themselves where the competition file names none."""
    labels = []
    for place, number in enumerate(numbers):
        if classes and not 0 <= number < len(classes):
            known = f"0 to {len(classes) - 1}"
            raise BadInput(
                f"{member}: label {number} of photo {place} is none of the {len(classes)} `classes`, {known}"
            )
        labels.append(classes[number] if classes else str(number))
    return labels
