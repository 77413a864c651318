"""What is asked where each photo has a picture: folders of the same names, or photos whose colours are wanted.

No TensorFlow.
"""

import posixpath
import re
from collections.abc import Iterable
from typing import NamedTuple

from podium.archives.delimited import Table
from podium.begin import Finding, masks
from podium.begin.catalogue import READ, TEST, Catalogue
from podium.begin.roles import id_column
from podium.photos import images
from podium.step import BadInput

# Folders of what is to be made of the photos beside them.
TARGETS = re.compile(
    r"(?i)clean|target|truth|(^|[_ -])(gt|hr|sharp|clear|colou?rs?|masks?|labels?|outputs?|after)([_ -]|$)"
)
SAME = 0.9  # of the names that two folders have to share


class Pair(NamedTuple):
    """The folders of the photos to train on, of what is to be made of each, if that is not itself, and of the test."""

    photos: str
    targets: str | None
    test: str


def pictures(catalogue: Catalogue, sample: Table | None) -> list[Finding]:
    """What an archive without a table of training photos asks for; nothing if it is no picture for each photo.

    Raises BadInput if it asks for a row for each pixel in a way that no test photo fits.
    """
    folders = _folders([*catalogue.photos, *(name for own in catalogue.masks.values() for name in own)])
    if not (found := _pair(catalogue, folders)):
        return []
    tests = {_stem(name) for name in folders[found.test]}
    asked = [_pixels(sample, tests)] if sample and _stem(sample.column(id_column(sample))[0]) not in tests else []
    if found.targets and not asked and _grey(catalogue, folders[found.targets]):
        shares = masks.values(catalogue, folders[found.targets])
        if len(shares) <= masks.MOST:
            runs = bool(sample and any(masks.RUNS.search(name) for name in sample.header))
            return [_names(folders, found), masks.finding(catalogue, f"{found.targets}/{{id}}", shares, runs=runs)]
    return [_names(folders, found), _task(catalogue, folders, found), *asked]


def _folders(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(posixpath.dirname(name), []).append(name)
    return found


def _stem(name: str) -> str:
    return posixpath.splitext(posixpath.basename(name))[0]


def _pair(catalogue: Catalogue, folders: dict[str, list[str]]) -> Pair | None:
    test = next((each for each in folders if TEST.search(each)), None)
    rest = [each for each in folders if not TEST.search(each)]
    if test is None:
        return None
    stems = {each: {_stem(name) for name in folders[each]} for each in rest}
    for targets in (each for each in rest if TARGETS.search(posixpath.basename(each))):
        for photos in (each for each in rest if each != targets):
            if len(stems[photos] & stems[targets]) > SAME * max(len(stems[photos]), len(stems[targets])):
                return Pair(photos, targets, test)
    if len(rest) == 1 and _grey(catalogue, folders[test]) and not _grey(catalogue, folders[rest[0]]):
        return Pair(rest[0], None, test)
    return None


def _some(names: list[str]) -> list[str]:
    return names[:: max(1, len(names) // READ)][:READ]


def _grey(catalogue: Catalogue, names: list[str]) -> bool:
    """Whether some of these photos have no colours at all."""
    for name in _some(names):
        try:
            pixels = images.whole(catalogue.contents.read(name), "RGB")
        except images.Unreadable as error:
            raise BadInput(f"{name}: {error}") from None
        if (pixels != pixels[..., :1]).any():
            return False
    return True


def _ending(names: list[str]) -> str:
    """The suffix that all of these have."""
    suffixes = {posixpath.splitext(name)[1] for name in names}
    return suffixes.pop() if len(suffixes) == 1 else ".*"


def _names(folders: dict[str, list[str]], found: Pair) -> Finding:
    layout = {"train": f"{found.photos}/{{id}}{_ending(folders[found.photos])}"}
    why = f"{len(folders[found.photos]):,} photos in '{found.photos}' in colour, and those of the test in grey (likely)"
    if found.targets:
        layout["target"] = f"{found.targets}/{{id}}{_ending(folders[found.targets])}"
        why = f"{len(folders[found.targets]):,} pictures in '{found.targets}' are called like the photos in "
        why += f"'{found.photos}' (sure)"
    return Finding({"names": layout | {"test": f"{found.test}/{{id}}{_ending(folders[found.test])}"}}, why)


def _task(catalogue: Catalogue, folders: dict[str, list[str]], found: Pair) -> Finding:
    grey = found.targets is None
    output = "grey" if found.targets and _grey(catalogue, folders[found.targets]) else "colour"
    settings = {"input": "grey" if grey else "photo", "output": output}
    return Finding(
        {"task": "image_to_image", "image_to_image": settings}, f"a picture in {output} for each photo (likely)"
    )


def _pixels(sample: Table, tests: set[str]) -> Finding:
    """A row for each pixel, if the sample's ids begin with those of the photos."""
    first = sample.column(id_column(sample))[0]
    if not (found := re.fullmatch(r"(.+)_\d+_\d+", first)) or found[1] not in tests:
        raise BadInput(f"{sample.name}: '{first}' is neither a test photo nor one of its pixels, such as 12_1_1")
    why = f"'{first}' is a pixel of a test photo: a row for each (sure)"
    return Finding({"submission": {"form": "pixels"}}, why)
