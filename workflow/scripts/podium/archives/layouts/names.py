"""Photos whose paths say their labels: patterns such as `train/{label}.{number}.jpg`."""

import posixpath
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pandas as pd

from podium import SPLITS
from podium.archives.layouts import LISTED, UNLABELLED, Labels
from podium.archives.opening import Archive, member_name
from podium.photos import images
from podium.step import BadInput, log

ANY = ".*"  # at the end of a pattern: any suffix of a photo


class Said(NamedTuple):
    id: str
    label: str
    group: str
    named: dict[str, str]  # all that stands in braces


class Pattern(NamedTuple):
    """A pattern of the competition file, which its messages call `key`."""

    key: str
    text: str
    folder: str  # what it has before the first braces, up to the last slash
    names: list[str]  # those in braces, in the order of the groups
    fits: re.Pattern[str]

    def read(self, file: str) -> Said | None:
        """What a file's path says, "" for a label or a group that it does not; None if the pattern does not fit."""
        if not (found := self.fits.fullmatch(file)):
            return None
        said = dict(zip(self.names, found.groups(), strict=True))
        key = said.get("id", file.removeprefix(self.folder))
        return Said(key, said.get("label", ""), said.get("group", ""), {"id": key, **said})


def photos(archive: Archive, spec: dict[str, Any], labels: Labels, *, strict: bool) -> pd.DataFrame:
    """Every photo that a pattern fits, split by split; a photo that several fit belongs to the first of the splits.

    Raises BadInput for a pattern that fits no photo, photos with the same id, and, if `strict`, for photos in the
    patterns' folders that none fits.
    """
    patterns = {split: _pattern(f"names.{split}", member_name(spec[split])) for split in SPLITS if split in spec}
    found: dict[str, dict[str, Said]] = {split: {} for split in patterns}
    rest = []
    for file in archive.names():
        for split, pattern in patterns.items():
            if (said := pattern.read(file)) is not None:
                found[split][file] = said
                break
        else:
            rest.append(file)
    for split, pattern in patterns.items():
        found[split] = _only_photos(archive, pattern, found[split])
        _check_ids(pattern, found[split])
        _check_rest(pattern, rest, strict)
    template = spec.get("target")
    rows: list[tuple[str, ...]] = []
    for split, files in found.items():
        own = None if split == "test" else "{file}" if labels.itself else template
        rows += (
            _rows(split, files, labels) if own is None else _with_targets(split, files, labels, archive, own, strict)
        )
    return pd.DataFrame(rows, columns=["split", "id", "file", "label", "group", "reason"])[LISTED]


def _rows(split: str, files: dict[str, Said], labels: Labels) -> Iterator[tuple[str, ...]]:
    for file, said in files.items():
        try:
            label = labels.read(said.label) if said.label else ""
        except ValueError as error:
            raise BadInput(f"{file}: {error}") from None
        yield split, said.id, file, label, said.group, ""


def _with_targets(
    split: str, files: dict[str, Said], labels: Labels, archive: Archive, template: str, strict: bool
) -> Iterator[tuple[str, ...]]:
    """The same where the label of a photo is a file; without `strict`, photos without one are set aside."""
    for file, said in files.items():
        try:
            target = template.format(**said.named, file=file)
        except KeyError as error:
            raise BadInput(f"names.target: '{template}': no pattern has the name {error}") from None
        there = target in archive
        if strict and not there:
            raise BadInput(f"{file}: its target '{target}' is not in the archive (`strict: false` sets it aside)")
        label = labels.read_file(target) if there else ""
        yield split, said.id, file, label, said.group, "" if there else UNLABELLED


def _pattern(key: str, text: str) -> Pattern:
    pieces = re.split(r"{(.+?)}", text.removesuffix(ANY))  # text and names in turn
    names, fits = list[str](), ""
    for place, piece in enumerate(pieces):
        if place % 2 == 0:
            fits += re.escape(piece)
        elif piece in names:  # the same text once more
            fits += f"\\{names.index(piece) + 1}"
        else:
            names.append(piece)
            fits += "([^/]+)"
    if text.endswith(ANY):
        fits += f"(?i:{'|'.join(map(re.escape, sorted(images.SUFFIXES)))})"
    return Pattern(key, text, pieces[0][: pieces[0].rfind("/") + 1], names, re.compile(fits, re.DOTALL))


def _only_photos(archive: Archive, pattern: Pattern, found: dict[str, Said]) -> dict[str, Said]:
    """The files with a photo's suffix, or all if none has one; raises BadInput if there are no files."""
    if not found:
        inside = next((name for name in archive.names() if name.startswith(pattern.folder)), None)
        like = f"the first in '{pattern.folder}' is '{inside}'" if inside else archive.said()
        raise BadInput(f"{pattern.key}: no file of the archive fits '{pattern.text}' ({like})")
    chosen = {file: said for file, said in found.items() if _is_photo(file)}
    return chosen or found


def _is_photo(file: str) -> bool:
    return posixpath.splitext(file)[1].lower() in images.SUFFIXES


def _check_ids(pattern: Pattern, found: dict[str, Said]) -> None:
    seen = dict[str, str]()
    for file, said in found.items():
        if (other := seen.setdefault(said.id, file)) != file:
            both = f"'{other}' and '{file}' have the same id '{said.id}'"
            other_name = f"with another name for {{id}}, the path below '{pattern.folder}' is the id"
            raise BadInput(f"{pattern.key}: '{pattern.text}': {both} ({other_name})")


def _check_rest(pattern: Pattern, rest: list[str], strict: bool) -> None:
    """Photos in the pattern's folder that no pattern fits: raises BadInput if `strict`, else warns."""
    unlisted = [file for file in rest if file.startswith(pattern.folder) and _is_photo(file)]
    if unlisted and strict:
        others = f", nor {len(unlisted) - 1} more in '{pattern.folder}'" if len(unlisted) > 1 else ""
        raise BadInput(
            f"{pattern.key}: '{pattern.text}' does not fit '{unlisted[0]}'{others} (`strict: false` leaves them out)"
        )
    if unlisted:
        log.warning("%s: left out %d photos that do not fit, such as %s", pattern.key, len(unlisted), unlisted[0])


def reader(archive: Archive, _: dict[str, Any]) -> Callable[[str], bytes]:
    return archive.read
