"""What a competition hands out, as one zip file: checked, and read by name. No TensorFlow."""

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
# A member is held in memory whole: the largest of competitions, TFRecord and IDX files, have a few GB.
LARGEST = 16 << 30
# Photos, TFRecord and IDX files shrink to a tenth at the most, tables of equal numbers to a hundredth; what is made to
# fill a memory shrinks to the thousandth at which deflate ends. A member of up to ALWAYS bytes does no harm.
RATIO, ALWAYS = 200, 256 << 20
PIECE = 1 << 20
SHOWN = 5  # names in a message
# What zipfile expands only as far as it is asked to: a few bytes of bzip2 make gigabytes, whatever their header says.
EXPANDED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
CONTINUED = (b"x", b"g", b"X", tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
LONGEST_HEADER = 1 << 20  # of a tar: a long name, and what else does not fit into its 512 bytes


class Archive:
    """The members of a zip by their `member_name`; a single top folder is looked through."""

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
        """The bytes of a member; raises KeyError where there is none, BadInput where it is damaged or far too large."""
        info = self._members[self._known(name)]
        _check_packed(name, info)
        try:
            with self._zip.open(info) as file:
                return file.read(info.file_size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise BadInput(f"{name}: damaged in the archive ({error})") from error

    def unpacked(self, name: str) -> bytes:
        """The bytes of a member, expanded where it is a gzip file; BadInput where it is not there or not whole."""
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
            raise BadInput(f"{name}: not a whole gzip file ({error})") from error

    def _known(self, name: str) -> str:
        """What `names` calls a member: these names, and any that a table or a person writes."""
        return name if name in self._members else member_name(name)


def member_name(name: str) -> str:
    """What a member is called here: slashes for backslashes, one Unicode form, control characters escaped."""
    return escaped(unicodedata.normalize("NFC", name).replace("\\", "/"))


def check_size(name: str, size: int, packed: int, held: bool = True) -> None:
    """Raises BadInput where packed bytes become far more than photos and tables do, or more than is `held` whole."""
    limit = max(ALWAYS, RATIO * packed)
    limit = min(limit, LARGEST) if held else limit
    if size > limit:
        raise BadInput(f"{name}: expands to more than {limit:,} bytes, the most that is read of {packed:,} packed ones")


def _check_packed(name: str, info: zipfile.ZipInfo) -> None:
    """Raises BadInput for a member of a zip that becomes too large, or may before anyone sees it."""
    if (method := info.compress_type) not in EXPANDED:
        raise BadInput(f"{name}: packed by method {method} of zip files; pack it anew by deflate, the usual one")
    check_size(name, info.file_size, info.compress_size)


def _is_litter(name: str) -> bool:
    last = name.rpartition("/")[2]
    return name.startswith(LITTER[0]) or last in LITTER[1:3] or last.startswith(LITTER[3])


def open_zip(path: Path) -> zipfile.ZipFile:
    """Raises BadInput where the file is not a whole zip."""
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise BadInput(f"{path}: not a whole zip file ({error})") from error


def check_zip(path: Path, source: str) -> None:
    """Raises BadInput, naming `source` and member, unless each is a plain file inside, once, not encrypted, no bomb."""
    seen: set[str] = set()
    members = open_zip(path).infolist()
    check_size(source, sum(info.file_size for info in members), path.stat().st_size, held=False)
    for info in members:
        _check_name(source, info.filename)
        _check_packed(f"{source}: '{info.filename}'", info)
        if stat.S_ISLNK(info.external_attr >> 16):
            raise BadInput(f"{source}: '{info.filename}' is a link; an archive may hold only plain files")
        if info.flag_bits & 1:
            raise BadInput(f"{source}: '{info.filename}' is encrypted")
        if (name := member_name(info.filename)) in seen:
            raise BadInput(f"{source}: '{info.filename}' is in the archive twice")
        seen.add(name)


class _Header(tarfile.TarInfo):
    """The header of a member, refused where what continues it, which tarfile reads whole, says that it is long."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in CONTINUED and header.size > LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header


def is_tar(path: Path) -> bool:
    """Whether it begins like a tar of any compression."""
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
                        f"{source}: '{member.name}' is a link or a device; an archive may hold only plain files"
                    )
                yield posixpath.normpath(member.name), content.read()
            # tarfile ends without a word where a header is cut off; a whole tar ends in two empty blocks.
            if tar.fileobj is None or tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise BadInput(f"{source}: not a whole tar file (its end is missing)")
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise BadInput(f"{source}: not a whole tar file ({error})") from error


def folder_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """The files below a folder in sorted order."""
    for file in sorted(path.rglob("*")):
        if file.is_symlink() and (file.is_dir() or not file.exists()):
            raise BadInput(f"{file}: a link to a folder or to nothing; put the files themselves there")
        if file.is_file():
            if not file.name.isascii() and "\\udc" in ascii(file.name):
                raise BadInput(f"{str(file)!a}: the name is not UTF-8")
            check_size(str(file), size := file.stat().st_size, size)
            yield file.relative_to(path).as_posix(), file.read_bytes()


def write_zip(file: IO[bytes] | Path, members: Iterable[tuple[str, bytes]]) -> None:
    """A zip whose bytes depend on the names and contents alone; nothing is deflated, since photos do not shrink."""
    seen: set[str] = set()
    with zipfile.ZipFile(file, "w") as out:
        for name, content in members:
            if member_name(name) in seen:
                raise BadInput(f"'{name}' is in the archive twice")
            seen.add(member_name(name))
            out.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)


def _check_name(source: str, name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or (len(parts[0]) == 2 and parts[0][1] == ":"):
        raise BadInput(f"{source}: '{name}' leads outside the archive")
