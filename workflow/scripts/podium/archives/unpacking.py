"""An archive with the archives inside it: what is in `train.zip` is called `train.zip/a.jpg`. No TensorFlow."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from podium.archives.kinds import kind, opened, opened_folder
from podium.archives.members import Part
from podium.archives.opening import PACKED, SHOWN, Archive, Store, check_name, listed, member_name
from podium.step import BadInput

# Where all archives are looked into: how many within each other, and beside each other. More of them are no parts of
# the archive, but what it is about.
DEEPEST, MOST = 3, 100


class Contents(Archive):
    """What an archive of any kind, or a folder, and the archives inside it contain; it offers what `Archive` does.

    The names are those of the stored archive once all of `archives` are unpacked. What is packed once is read where it
    lies; an archive that is itself compressed, and a 7z, is expanded to a temporary file, which goes with this object.
    """

    def __init__(self, path: Path, folder: Path | None = None) -> None:
        """`folder` is where temporary files go, by default the system's; raises BadInput for what is no archive or an
        unsafe one."""
        levels = list(_levels(path, str(path), None, folder or Path(tempfile.gettempdir())))
        self.archives = [level.called for level in levels[1:]]  # those inside, outer ones first, as for `unpack`
        self._hold((level.store, level.stored()) for level in levels)


def unpacked(path: Path, source: str, unpack: Mapping[str, str], folder: Path) -> Iterator[tuple[str, bytes]]:
    """The name and the bytes of each file of the archive at `path`, which messages call `source`.

    The archives in it that `unpack` names are replaced by the folders that it gives, which contain their files.
    Temporary files go to `folder`. Raises BadInput for an archive that is unsafe, damaged or missing.
    """
    for into in unpack.values():
        check_name(f"{source}: unpack", into)
    for level in _levels(path, source, {member_name(name): into for name, into in unpack.items()}, folder):
        for number, name in enumerate(level.stored()):
            if not name.endswith("/"):
                yield name, level.store.read(f"{source}: '{name}'", number)


class _Level(NamedTuple):
    """One archive: its files by their numbers. The names of archives that are levels of their own end with a slash."""

    called: str
    folder: str
    store: Store
    names: list[str]

    def stored(self) -> Iterator[str]:
        """The names of the files once the archive is unpacked."""
        return (f"{self.folder}{name}" for name in self.names)


def _levels(path: Path, source: str, unpack: Mapping[str, str] | None, folder: Path) -> Iterator[_Level]:
    """The archive at `path`, and those inside it: those that `unpack` names, or all that there are, down to DEEPEST."""
    store, names = opened_folder(path) if path.is_dir() else opened(Part.whole(path, source), folder)
    level = _Level("", "", store, list(names))
    yield from _below(source, level, listed(level.names)[1], unpack, folder, DEEPEST)


def _below(
    source: str, level: _Level, top: str, unpack: Mapping[str, str] | None, folder: Path, deep: int
) -> Iterator[_Level]:
    """The level and those below it; `top` is the folder that is left out of what the outermost's files are called."""
    own = f"{level.called}/" if level.called else ""
    found = listed(level.names)[0].items()
    there = {f"{own}{name}" if own else name.removeprefix(top): number for name, number in found}
    if unpack is None:
        wanted = [name for name in there if deep and name.lower().endswith(PACKED)]
        wanted = wanted if len(wanted) <= MOST else []
    else:
        wanted = [name for name in unpack if _within(name, unpack) == level.called]
        _check_there(source, wanted, there)
    inner = []
    for name in wanted:
        part = level.store.part(f"{source}: '{name}'", there[name], folder)
        if unpack is not None or kind(part):
            inner.append((name, part))
            level.names[there[name]] += "/"
    yield level
    for name, part in inner:
        store, names = opened(part, folder, level.store.packed(there[name]))
        into = f"{top}{unpack[name] if unpack else name}/"
        yield from _below(source, _Level(name, into, store, list(names)), top, unpack, folder, deep - 1)


def _within(name: str, unpack: Iterable[str]) -> str:
    """The innermost of these archives that this path leads into, or "" for the outermost."""
    return max((each for each in unpack if name.startswith(f"{each}/")), key=len, default="")


def _check_there(source: str, wanted: list[str], there: Iterable[str]) -> None:
    for name in wanted:
        if name not in there:
            packed = [each for each in there if each.lower().endswith(PACKED)]
            said = f"{', '.join(packed[:SHOWN])}{', …' * (len(packed) > SHOWN)}" if packed else "none"
            raise BadInput(f"{source}: unpack: '{name}' is not in the archive (archives there: {said})")
