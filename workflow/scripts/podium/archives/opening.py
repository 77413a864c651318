"""A competition's archive as one zip file, checked and read by member names. No TensorFlow."""

import gzip
import io
import os
import posixpath
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Self

from podium.archives.members import DEFLATED, STORED, Member, content, members
from podium.step import BadInput, escaped

GZIP = b"\x1f\x8b"
LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db", "._")
# A whole member is kept in memory: the largest in competitions, TFRecord and IDX files, have a few GB.
LARGEST = 16 << 30
# Photos, TFRecord and IDX files shrink to a tenth at most, tables of equal numbers to a hundredth; zip bombs shrink to
# a thousandth, the limit of deflate. A member of up to ALWAYS bytes does no harm.
RATIO, ALWAYS = 200, 256 << 20
PIECE = 1 << 20
SHOWN = 5  # names in a message
ENCRYPTED = 1 | 1 << 5 | 1 << 6  # flags: by a password, patched, strongly
KEPT = struct.Struct("<3HI3Q")  # a Member without its name
CONTINUED = (b"x", b"g", b"X", tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
LONGEST_HEADER = 1 << 20  # of a tar: a long name, and other data that does not fit into its 512 bytes


class Archive:
    """The members of a zip by their `member_name`; a single top folder is left out of the names.

    Threads may read from it at the same time.
    """

    def __init__(self, path: Path) -> None:
        self._file, self._kept = path.open("rb"), bytearray()
        found = list[str]()
        for member in members(path):
            found.append(member_name(member.name))
            self._kept += KEPT.pack(*member[1:])
        places = {name: place for place, name in enumerate(found) if not name.endswith("/") and not _is_litter(name)}
        tops = {name.partition("/")[0] for name in places}
        top = f"{tops.pop()}/" if len(tops) == 1 and all("/" in name for name in places) else ""
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

    def read(self, name: str) -> bytes:
        """The bytes of a member; raises KeyError if it is missing, BadInput if it is damaged or far too large."""
        member = self._member(name)
        _check_packed(name, member)
        try:
            return content(self._file.fileno(), member)
        except (ValueError, OverflowError, zlib.error) as error:
            raise BadInput(f"{name}: damaged in the archive ({error})") from error

    def unpacked(self, name: str) -> bytes:
        """The bytes of a member, expanded if it is a gzip file; raises BadInput if it is missing or incomplete."""
        if name not in self:
            raise BadInput(f"{name}: not in the archive ({self.said()})")
        data, expanded = self.read(name), io.BytesIO()
        if not data.startswith(GZIP):
            return data
        try:
            with gzip.open(io.BytesIO(data)) as file:
                while piece := file.read(PIECE):
                    expanded.write(piece)
                    check_size(name, expanded.tell(), self._member(name).packed)
            return expanded.getvalue()
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(f"{name}: not a complete gzip file ({error})") from error

    def _known(self, name: str) -> str:
        """A member's name as in `names`, for such a name or any spelling in a table or by a user."""
        return name if name in self._places else member_name(name)

    def _member(self, name: str) -> Member:
        place = self._places[self._known(name)]
        return Member(name, *KEPT.unpack_from(self._kept, place * KEPT.size))


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
    return name.startswith(LITTER[0]) or last in LITTER[1:3] or last.startswith(LITTER[3])


def open_zip(path: Path) -> zipfile.ZipFile:
    """The opened zip; raises BadInput if the file is not a complete zip."""
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise BadInput(f"{path}: not a complete zip file ({error})") from error


def check_zip(path: Path, source: str) -> None:
    """Raises BadInput, naming `source` and member, unless each is a plain file, inside the archive, unique, not
    encrypted and not a bomb."""
    seen, total, packed = set[str](), 0, path.stat().st_size
    for member in members(path):
        check_size(source, total := total + member.size, packed, held=False)
        _check_name(source, member.name)
        _check_packed(f"{source}: '{member.name}'", member)
        if stat.S_ISLNK(member.mode):
            raise BadInput(f"{source}: '{member.name}' is a link; an archive must contain only plain files")
        if (name := member_name(member.name)) in seen:
            raise BadInput(f"{source}: '{member.name}' occurs twice in the archive")
        seen.add(name)


class _Header(tarfile.TarInfo):
    """A member's header; raises ReadError if its continuation, which tarfile reads as a whole, is too long."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in CONTINUED and header.size > LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header


def is_tar(path: Path) -> bool:
    """Whether the file begins like a tar of any compression."""
    try:
        tarfile.open(path, tarinfo=_Header).close()
    except tarfile.TarError:
        return False
    return True


def tar_members(path: Path, source: str) -> Iterator[tuple[str, bytes]]:
    """The plain files of a tar of any compression; BadInput on links, devices, names that lead outside, and bombs."""
    total, packed = 0, path.stat().st_size
    try:
        with tarfile.open(path, tarinfo=_Header) as tar:
            while member := tar.next():
                tar.members.clear()  # type: ignore[attr-defined]  # or tarfile keeps a kilobyte of each
                _check_name(source, member.name)
                total += member.size
                check_size(source, total, packed, held=False)
                check_size(f"{source}: '{member.name}'", member.size, packed)
                if member.isdir():
                    continue
                content = tar.extractfile(member) if member.isreg() else None
                if content is None:
                    raise BadInput(
                        f"{source}: '{member.name}' is a link or a device; an archive must contain only plain files"
                    )
                yield posixpath.normpath(member.name), content.read()
            # tarfile ends silently if a header is cut off; a complete tar ends with two empty blocks.
            if tar.fileobj is None or tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise BadInput(f"{source}: not a complete tar file (its end is missing)")
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise BadInput(f"{source}: not a complete tar file ({error})") from error


def folder_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """The files below a folder in sorted order; raises BadInput on links to folders or to nothing."""
    for file in _files(path):
        if not file.name.isascii() and "\\udc" in ascii(file.name):
            raise BadInput(f"{str(file)!a}: the name is not UTF-8")
        check_size(str(file), size := file.stat().st_size, size)
        yield file.relative_to(path).as_posix(), file.read_bytes()


def _files(folder: Path) -> Iterator[Path]:
    """Folder by folder, so that no more than one folder's files are in memory at a time."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_symlink() and (entry.is_dir() or not Path(entry.path).exists()):
            raise BadInput(f"{entry.path}: a link to a folder or to nothing; replace it by the files themselves")
        if entry.is_dir():
            yield from _files(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)


def write_zip(file: IO[bytes] | Path, members: Iterable[tuple[str, bytes]]) -> None:
    """A zip whose bytes depend only on names and contents; nothing is compressed, since photos do not shrink."""
    seen: set[str] = set()
    with zipfile.ZipFile(file, "w") as out:
        for name, content in members:
            if member_name(name) in seen:
                raise BadInput(f"'{name}' occurs twice in the archive")
            seen.add(member_name(name))
            out.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)


def _check_name(source: str, name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or (len(parts[0]) == 2 and parts[0][1] == ":"):
        raise BadInput(f"{source}: '{name}' leads outside the archive")
