"""A competition's archive as one zip file, checked and read by member names. No TensorFlow."""

import gzip
import io
import posixpath
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Self

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
# Methods that zipfile expands only as far as requested; a few bytes of bzip2 become gigabytes, whatever their header.
EXPANDED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
CONTINUED = (b"x", b"g", b"X", tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
LONGEST_HEADER = 1 << 20  # of a tar: a long name, and other data that does not fit into its 512 bytes


class Archive:
    """The members of a zip by their `member_name`; a single top folder is left out of the names."""

    def __init__(self, path: Path) -> None:
        self._zip = open_zip(path)
        names = {member_name(info.filename): info for info in self._zip.infolist()}
        names = {name: info for name, info in names.items() if not name.endswith("/") and not _is_litter(name)}
        tops = {name.partition("/")[0] for name in names}
        top = f"{tops.pop()}/" if len(tops) == 1 and all("/" in name for name in names) else ""
        self._members = {name.removeprefix(top): info for name, info in names.items()}

    def names(self) -> list[str]:
        return sorted(self._members)

    def said(self) -> str:
        """The first names, for a message that one is not there."""
        there = self.names()
        return f"there are: {', '.join(there[:SHOWN])}{', …' * (len(there) > SHOWN)}"

    def __contains__(self, name: str) -> bool:
        return self._known(name) in self._members

    def read(self, name: str) -> bytes:
        """The bytes of a member; raises KeyError if it is missing, BadInput if it is damaged or far too large."""
        info = self._members[self._known(name)]
        _check_packed(name, info)
        try:
            with self._zip.open(info) as file:
                return file.read(info.file_size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
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
                    check_size(name, expanded.tell(), self._members[self._known(name)].compress_size)
            return expanded.getvalue()
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(f"{name}: not a complete gzip file ({error})") from error

    def _known(self, name: str) -> str:
        """A member's name as in `names`, for such a name or any spelling in a table or by a user."""
        return name if name in self._members else member_name(name)


def member_name(name: str) -> str:
    """A member's name in Podium: slashes for backslashes, one Unicode form, control characters escaped."""
    return escaped(unicodedata.normalize("NFC", name).replace("\\", "/"))


def check_size(name: str, size: int, packed: int, held: bool = True) -> None:
    """Raises BadInput if packed bytes expand far more than photos and tables do, or, if `held` in memory, too much."""
    limit = max(ALWAYS, RATIO * packed)
    limit = min(limit, LARGEST) if held else limit
    if size > limit:
        raise BadInput(f"{name}: expands to more than {limit:,} bytes, the limit for {packed:,} packed bytes")


def _check_packed(name: str, info: zipfile.ZipInfo) -> None:
    """Raises BadInput for a member of a zip that expands too much, or whose method cannot be expanded in steps."""
    if (method := info.compress_type) not in EXPANDED:
        raise BadInput(f"{name}: packed by zip method {method}; pack it again by deflate, the usual method")
    check_size(name, info.file_size, info.compress_size)


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
    seen: set[str] = set()
    members = open_zip(path).infolist()
    check_size(source, sum(info.file_size for info in members), path.stat().st_size, held=False)
    for info in members:
        _check_name(source, info.filename)
        _check_packed(f"{source}: '{info.filename}'", info)
        if stat.S_ISLNK(info.external_attr >> 16):
            raise BadInput(f"{source}: '{info.filename}' is a link; an archive must contain only plain files")
        if info.flag_bits & 1:
            raise BadInput(f"{source}: '{info.filename}' is encrypted")
        if (name := member_name(info.filename)) in seen:
            raise BadInput(f"{source}: '{info.filename}' occurs twice in the archive")
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
            for member in tar:
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
    for file in sorted(path.rglob("*")):
        if file.is_symlink() and (file.is_dir() or not file.exists()):
            raise BadInput(f"{file}: a link to a folder or to nothing; replace it by the files themselves")
        if file.is_file():
            if not file.name.isascii() and "\\udc" in ascii(file.name):
                raise BadInput(f"{str(file)!a}: the name is not UTF-8")
            check_size(str(file), size := file.stat().st_size, size)
            yield file.relative_to(path).as_posix(), file.read_bytes()


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
