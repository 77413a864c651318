"""What a competition hands out, as one zip file: checked, and read by name. No TensorFlow."""

import gzip
import posixpath
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from podium.step import BadInput

GZIP = b"\x1f\x8b"
LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db", "._")


class Archive:
    """The members of a zip by name; Unicode forms are made one, and a single top folder is looked through."""

    def __init__(self, path: Path) -> None:
        self._zip = open_zip(path)
        names = {
            unicodedata.normalize("NFC", info.filename): info for info in self._zip.infolist() if not info.is_dir()
        }
        names = {name: info for name, info in names.items() if not _is_litter(name)}
        tops = {name.partition("/")[0] for name in names}
        top = f"{tops.pop()}/" if len(tops) == 1 and all("/" in name for name in names) else ""
        self._members = {name.removeprefix(top): info for name, info in names.items()}

    def names(self) -> list[str]:
        return sorted(self._members)

    def __contains__(self, name: str) -> bool:
        return unicodedata.normalize("NFC", name) in self._members

    def read(self, name: str) -> bytes:
        """The bytes of a member; raises KeyError where there is none, BadInput where it is damaged."""
        try:
            return self._zip.read(self._members[unicodedata.normalize("NFC", name)])
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise BadInput(f"{name}: damaged in the archive ({error})") from error

    def unpacked(self, name: str) -> bytes:
        """The bytes of a member, expanded where it is a gzip file; BadInput where it is not there or not whole."""
        if name not in self:
            there = self.names()
            raise BadInput(f"{name}: not in the archive (there are: {', '.join(there[:5])}{', …' * (len(there) > 5)})")
        data = self.read(name)
        try:
            return gzip.decompress(data) if data.startswith(GZIP) else data
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(f"{name}: not a whole gzip file ({error})") from error


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
    """Raises BadInput, naming `source` and member, unless each is a plain file inside, once, not encrypted."""
    seen: set[str] = set()
    for info in open_zip(path).infolist():
        _check_name(source, info.filename)
        if stat.S_ISLNK(info.external_attr >> 16):
            raise BadInput(f"{source}: '{info.filename}' is a link; an archive may hold only plain files")
        if info.flag_bits & 1:
            raise BadInput(f"{source}: '{info.filename}' is encrypted")
        if info.filename in seen:
            raise BadInput(f"{source}: '{info.filename}' is in the archive twice")
        seen.add(info.filename)


def tar_members(path: Path, source: str) -> Iterator[tuple[str, bytes]]:
    """The plain files of a tar of any compression; BadInput on links, devices and names that lead outside."""
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                _check_name(source, member.name)
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
            yield file.relative_to(path).as_posix(), file.read_bytes()


def write_zip(file: IO[bytes] | Path, members: Iterable[tuple[str, bytes]]) -> None:
    """A zip whose bytes depend on the names and contents alone; nothing is deflated, since photos do not shrink."""
    seen: set[str] = set()
    with zipfile.ZipFile(file, "w") as out:
        for name, content in members:
            if name in seen:
                raise BadInput(f"'{name}' is in the archive twice")
            seen.add(name)
            out.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)


def _check_name(source: str, name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or (len(parts[0]) == 2 and parts[0][1] == ":"):
        raise BadInput(f"{source}: '{name}' leads outside the archive")
