"""A competition's archive as one zip file, checked and read by member names. No TensorFlow."""

import gzip
import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from podium.archives.members import DEFLATED, PIECE, STORED, Member, Part, data_start, expand, members
from podium.step import BadInput, escaped

GZIP = b"\x1f\x8b"
# What archives are called.
PACKED = (".zip", ".7z", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tbz2", ".tar.xz", ".txz")
LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db", "._")
# A whole member is kept in memory: the largest in competitions, TFRecord and IDX files, have a few GB.
LARGEST = 16 << 30
# Photos, TFRecord and IDX files shrink to a tenth at most, tables of equal numbers to a hundredth; zip bombs shrink to
# a thousandth, the limit of deflate. A member of up to ALWAYS bytes does no harm.
RATIO, ALWAYS = 200, 256 << 20
SHOWN = 5  # names in a message
ENCRYPTED = 1 | 1 << 5 | 1 << 6  # flags: by a password, patched, strongly
KEPT = struct.Struct("<3HI3Q")  # a Member without its name


class Store(Protocol):
    """The files of an archive by their numbers; threads may read from it at the same time."""

    def size(self, number: int) -> int:
        """In bytes."""

    def packed(self, number: int) -> int:
        """How many bytes it takes in the archive."""

    def read(self, name: str, number: int) -> bytes:
        """Its bytes; raises BadInput, which calls it `name`, if it is damaged or far too large."""

    def part(self, name: str, number: int, folder: Path) -> Part:
        """It as a file of its own, which messages call `name`: where it lies, or expanded to a temporary file in
        `folder`. Raises BadInput as `read` does."""


class Zip:
    """The members of a zip, as a Store."""

    def __init__(self, part: Part) -> None:
        self._part, self._kept = part, bytearray()

    def listed(self) -> Iterator[str]:
        """The names of all members in the directory's order, which gives them their numbers; to be used up once."""
        for member in members(self._part):
            self._kept += KEPT.pack(*member[1:])
            yield member.name

    def size(self, number: int) -> int:
        return self._member("", number).size

    def packed(self, number: int) -> int:
        return self._member("", number).packed

    def read(self, name: str, number: int) -> bytes:
        data = io.BytesIO()
        self._expand(self._member(name, number), data)
        return data.getvalue()

    def part(self, name: str, number: int, folder: Path) -> Part:
        member = self._member(name, number)
        if member.method == STORED and member.size == member.packed and not member.flags & ENCRYPTED:
            with _undamaged(name):
                return self._part.inside(name, data_start(self._part, member), member.size)
        return Part.written(name, folder, partial(self._expand, member))

    def _expand(self, member: Member, out: IO[bytes]) -> None:
        _check_packed(member.name, member)
        with _undamaged(member.name):
            expand(self._part, member, out)

    def _member(self, name: str, number: int) -> Member:
        return Member(name, *KEPT.unpack_from(self._kept, number * KEPT.size))


@contextmanager
def _undamaged(name: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, OverflowError, zlib.error) as error:
        raise BadInput(f"{name}: damaged in the archive ({error})") from error


class Archive:
    """The members of a zip by their `member_name`; a single top folder is left out of the names.

    Threads may read from it at the same time.
    """

    def __init__(self, path: Path) -> None:
        store = Zip(Part.whole(path))
        self._hold([(store, store.listed())])

    def _hold(self, stores: Iterable[tuple[Store, Iterable[str]]]) -> None:
        """Offers what is in these stores; each comes with the names of its files, in the order of their numbers."""
        self._stores, self._firsts, found = list[Store](), list[int](), list[str]()
        for store, names in stores:
            self._stores.append(store)
            self._firsts.append(len(found))
            found += names
        places, top = listed(found)
        self._places = {name.removeprefix(top): places[name] for name in sorted(places)}

    def names(self) -> list[str]:
        """In alphabetical order."""
        return list(self._places)

    def said(self) -> str:
        """The first names, for a message that one is not there."""
        there = self.names()
        return f"there are: {', '.join(there[:SHOWN])}{', …' * (len(there) > SHOWN)}"

    def __contains__(self, name: str) -> bool:
        return self._known(name) in self._places

    def size(self, name: str) -> int:
        """In bytes; raises KeyError if the member is missing."""
        store, number = self._found(name)
        return store.size(number)

    def read(self, name: str) -> bytes:
        """The bytes of a member; raises KeyError if it is missing, BadInput if it is damaged or far too large."""
        store, number = self._found(name)
        return store.read(name, number)

    def unpacked(self, name: str) -> bytes:
        """The bytes of a member, expanded if it is a gzip file; raises BadInput if it is missing or incomplete."""
        if name not in self:
            raise BadInput(f"{name}: not in the archive ({self.said()})")
        store, number = self._found(name)
        data, expanded = store.read(name, number), io.BytesIO()
        if not data.startswith(GZIP):
            return data
        try:
            with gzip.open(io.BytesIO(data)) as file:
                while piece := file.read(PIECE):
                    expanded.write(piece)
                    check_size(name, expanded.tell(), store.packed(number))
            return expanded.getvalue()
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(f"{name}: not a complete gzip file ({error})") from error

    def _known(self, name: str) -> str:
        """A member's name as in `names`, for such a name or any spelling in a table or by a user."""
        return name if name in self._places else member_name(name)

    def _found(self, name: str) -> tuple[Store, int]:
        place = self._places[self._known(name)]
        number = bisect_right(self._firsts, place) - 1
        return self._stores[number], place - self._firsts[number]


def listed(names: Iterable[str]) -> tuple[dict[str, int], str]:
    """The files among an archive's names, by their `member_name`, with their places in this list; and the one folder,
    with its slash, that all of them are in, or "". An archive that was unpacked is no such folder."""
    called = map(member_name, names)
    places = {name: place for place, name in enumerate(called) if not name.endswith("/") and not _is_litter(name)}
    tops = {name.partition("/")[0] for name in places}
    top = tops.pop() if len(tops) == 1 and all("/" in name for name in places) else ""
    return places, f"{top}/" if top and not top.lower().endswith(PACKED) else ""


def member_name(name: str) -> str:
    """A member's name in Podium: slashes for backslashes, one Unicode form, control characters escaped."""
    return escaped(unicodedata.normalize("NFC", name).replace("\\", "/"))


def check_size(name: str, size: int, packed: int, held: bool = True) -> None:
    """Raises BadInput if packed bytes expand far more than photos and tables do, or, if `held` in memory, too much."""
    limit = max(ALWAYS, RATIO * packed)
    limit = min(limit, LARGEST) if held else limit
    if size > limit:
        raise BadInput(f"{name}: expands to more than {limit:,} bytes, the limit for {packed:,} packed bytes")


def _check_packed(name: str, member: Member) -> None:
    """Raises BadInput for a member of a zip that expands too much, is encrypted, or is packed by a rare method."""
    if member.method not in (STORED, DEFLATED):
        raise BadInput(f"{name}: packed by zip method {member.method}; pack it again by deflate, the usual method")
    check_size(name, member.size, member.packed)
    if member.flags & ENCRYPTED:
        raise BadInput(f"{name} is encrypted")


def _is_litter(name: str) -> bool:
    last = name.rpartition("/")[2]
    return f"/{name}".find(f"/{LITTER[0]}") >= 0 or last in LITTER[1:3] or last.startswith(LITTER[3])


def open_zip(path: Path) -> zipfile.ZipFile:
    """The opened zip; raises BadInput if the file is not a complete zip."""
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise BadInput(f"{path}: not a complete zip file ({error})") from error


def check_zip(zipped: Part, packed: int | None = None) -> None:
    """Raises BadInput, naming archive and member, unless each is a plain file, inside the archive, unique, not
    encrypted and not a bomb. `packed` is how many bytes the zip takes, if it lies in another archive."""
    source, seen, total = zipped.name, set[str](), 0
    packed = zipped.size if packed is None else packed
    for member in members(zipped):
        check_size(source, total := total + member.size, packed, held=False)
        check_name(source, member.name)
        _check_packed(f"{source}: '{member.name}'", member)
        if stat.S_ISLNK(member.mode):
            raise BadInput(f"{source}: '{member.name}' is a link; an archive must contain only plain files")
        if (name := member_name(member.name)) in seen:
            raise BadInput(f"{source}: '{member.name}' occurs twice in the archive")
        seen.add(name)


def write_zip(file: IO[bytes] | Path, members: Iterable[tuple[str, bytes]]) -> None:
    """A zip whose bytes depend only on names and contents; nothing is compressed, since photos do not shrink."""
    seen: set[str] = set()
    with zipfile.ZipFile(file, "w") as out:
        for name, content in members:
            if member_name(name) in seen:
                raise BadInput(f"'{name}' occurs twice in the archive")
            seen.add(member_name(name))
            out.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)


def check_name(source: str, name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or (len(parts[0]) == 2 and parts[0][1] == ":"):
        raise BadInput(f"{source}: '{name}' leads outside the archive")
