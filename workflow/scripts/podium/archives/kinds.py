"""The kinds of archives, zip, tar, 7z and folder, each checked and opened as a `Store`. No TensorFlow."""

import io
import lzma
import os
import posixpath
import tarfile
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, Self

from podium.archives.members import PIECE, Part
from podium.archives.opening import Store, Zip, check_name, check_size, check_zip, member_name
from podium.step import BadInput

SEVEN_ZIP, ZIP = b"7z\xbc\xaf\x27\x1c", b"PK"  # what a file begins with
UNKNOWN = "neither a complete zip nor a tar nor a 7z file"
TAR_ERRORS = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError)
CONTINUED = (b"x", b"g", b"X", tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
LONGEST_HEADER = 1 << 20  # of a tar: a long name, and other data that does not fit into its 512 bytes
Opened = tuple[Store, Iterable[str]]  # with the names of its files, in the order of their numbers


def kind(file: Part) -> str | None:
    """Whether this is a zip, a tar or a 7z, by its content, whatever it is called."""
    start = file.at(0, len(SEVEN_ZIP))
    if start == SEVEN_ZIP:
        return "7z"
    # A tar may end with a zip, so that it seems to be one.
    if not start.startswith(ZIP) and is_tar(file):
        return "tar"
    return "zip" if zipfile.is_zipfile(file.opened()) else None


def opened(file: Part, folder: Path, packed: int | None = None) -> Opened:
    """The archive, checked; what has to be expanded to be read goes to temporary files in `folder`.

    `packed` is how many bytes it takes, if it lies in another archive. Raises BadInput, naming archive and member, for
    what is no archive, and for members that are no plain files, lead outside, occur twice or are bombs.
    """
    packed, found = file.size if packed is None else packed, kind(file)
    if found is None:
        raise BadInput(f"{file.name}: {UNKNOWN}")
    return KINDS[found](file, folder, packed)


def _zip(file: Part, _: Path, packed: int) -> Opened:
    check_zip(file, packed)
    store = Zip(file)
    return store, store.listed()


class Flat:
    """Files that lie in one file as they are, as a Store."""

    def __init__(self, file: Part, starts: "array[int]", sizes: "array[int]") -> None:
        self._file, self._starts, self._sizes = file, starts, sizes

    def size(self, number: int) -> int:
        return self._sizes[number]

    def packed(self, number: int) -> int:
        return self._sizes[number]

    def read(self, name: str, number: int) -> bytes:
        data = b"".join(self._file.pieces(self._starts[number], self._sizes[number]))
        if len(data) != self._sizes[number]:
            raise BadInput(f"{name}: damaged in the archive (its end is missing)")
        return data

    def part(self, name: str, number: int, _: Path) -> Part:
        return self._file.inside(name, self._starts[number], self._sizes[number])


def _flat(file: Part, source: str, files: Iterable[tuple[str, int, int]]) -> Opened:
    """The files, each a name, a start and a size, that lie in this one."""
    starts, sizes, names = array("Q"), array("Q"), dict[str, str]()
    for name, start, size in files:
        if (known := member_name(name)) in names:
            raise BadInput(f"{source}: '{name}' occurs twice in the archive")
        names[known] = name
        starts.append(start)
        sizes.append(size)
    return Flat(file, starts, sizes), names.values()


class _Header(tarfile.TarInfo):
    """A member's header; raises ReadError if its continuation, which tarfile reads as a whole, is too long."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in CONTINUED and header.size > LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header


def is_tar(file: Part) -> bool:
    """Whether the file begins like a tar of any compression."""
    try:
        tarfile.open(fileobj=file.opened(), tarinfo=_Header).close()
    except TAR_ERRORS:
        return False
    return True


@contextmanager
def open_tar(file: Part) -> Iterator[tarfile.TarFile]:
    """The opened tar of any compression; raises BadInput if it is not a complete one."""
    try:
        with tarfile.open(fileobj=file.opened(), tarinfo=_Header) as tar:
            yield tar
    except TAR_ERRORS as error:
        raise BadInput(f"{file.name}: not a complete tar file ({error})") from error


def tar_files(tar: tarfile.TarFile, source: str, packed: int) -> Iterator[tarfile.TarInfo]:
    """The plain files of a tar; BadInput on links, devices, names that lead outside, and bombs."""
    total = 0
    while member := tar.next():
        tar.members.clear()  # type: ignore[attr-defined]  # or tarfile keeps a kilobyte of each
        check_name(source, member.name)
        total += member.size
        check_size(source, total, packed, held=False)
        check_size(f"{source}: '{member.name}'", member.size, packed)
        if member.isreg():
            yield member
        elif not member.isdir():
            raise BadInput(f"{source}: '{member.name}' is a link or a device; an archive must contain only plain files")
    # tarfile ends silently if a header is cut off; a complete tar ends with two empty blocks.
    if tar.fileobj is None or tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise BadInput(f"{source}: not a complete tar file (its end is missing)")


def tar_members(file: Part) -> Iterator[tuple[str, bytes]]:
    """Name and content of each of `tar_files`."""
    with open_tar(file) as tar:
        for member in tar_files(tar, file.name, file.size):
            content = tar.extractfile(member)
            assert content
            yield posixpath.normpath(member.name), content.read()


def _tar(file: Part, folder: Path, packed: int) -> Opened:
    with open_tar(file) as tar:
        if not isinstance(tar.fileobj, io.BufferedReader):  # but what expands it
            assert tar.fileobj
            tar.fileobj.seek(0)
            file = Part.written(file.name, folder, partial(_copy, tar.fileobj, file.name, packed))
    with open_tar(file) as tar:
        return _flat(file, file.name, _places(tar, file.name, packed))


def _copy(expanded: Any, source: str, packed: int, out: IO[bytes]) -> None:
    while piece := expanded.read(PIECE):
        out.write(piece)
        check_size(source, out.tell(), packed, held=False)


def _places(tar: tarfile.TarFile, source: str, packed: int) -> Iterator[tuple[str, int, int]]:
    for member in tar_files(tar, source, packed):
        if member.issparse():
            raise BadInput(f"{source}: '{member.name}' is a sparse file; an archive must contain only plain files")
        yield posixpath.normpath(member.name), member.offset_data, member.size


class _Behind:
    """What py7zr writes to: it asks for a file for each member, and writes one after the other to this one."""

    def __init__(self, out: IO[bytes]) -> None:
        self.write = out.write

    def create(self, _: str) -> Self:
        return self

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """A member is complete."""


def _seven_zip(file: Part, folder: Path, packed: int) -> Opened:
    import py7zr  # few archives need it
    from py7zr import exceptions as wrong

    damaged = (wrong.ArchiveError, lzma.LZMAError, zlib.error, EOFError, OSError, ValueError, LookupError, TypeError)
    try:
        with py7zr.SevenZipFile(file.opened()) as archive:
            if archive.needs_password():
                raise BadInput(f"{file.name} is encrypted")
            files = list(_seven_zip_files(archive.files, file.name, packed))
            expanded = Part.written(file.name, folder, lambda out: archive.extractall(factory=_Behind(out)))
    except wrong.PasswordRequired:
        raise BadInput(f"{file.name} is encrypted") from None
    except damaged as error:
        raise BadInput(f"{file.name}: not a complete 7z file ({error})") from error
    return _flat(expanded, file.name, files)


def _seven_zip_files(members: Iterable[Any], source: str, packed: int) -> Iterator[tuple[str, int, int]]:
    """Name, start and size of each plain file; those with content are expanded in this order, one behind the other."""
    total = 0
    for member in members:
        name, size = member.filename, member.uncompressed
        check_name(source, name)
        check_size(source, total + size, packed, held=False)
        check_size(f"{source}: '{name}'", size, packed)
        if member.is_symlink or member.is_junction or member.is_socket:
            raise BadInput(f"{source}: '{name}' is a link or a device; an archive must contain only plain files")
        if not member.is_directory:
            yield name, total, size
            total += size


class Folder:
    """The files below a folder, as a Store."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files

    def size(self, number: int) -> int:
        return self._files[number].stat().st_size

    def packed(self, number: int) -> int:
        return self.size(number)

    def read(self, _: str, number: int) -> bytes:
        check_size(str(self._files[number]), size := self.size(number), size)
        return self._files[number].read_bytes()

    def part(self, name: str, number: int, _: Path) -> Part:
        return Part.whole(self._files[number], name)


def opened_folder(path: Path) -> Opened:
    """A folder as an archive; raises BadInput on links to folders or to nothing."""
    files = list(_files(path))
    return Folder(files), [file.relative_to(path).as_posix() for file in files]


def folder_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """The files below a folder in sorted order; raises BadInput on links to folders or to nothing."""
    for file in _files(path):
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
            if not entry.name.isascii() and "\\udc" in ascii(entry.name):
                raise BadInput(f"{entry.path!a}: the name is not UTF-8")
            yield Path(entry.path)


KINDS: dict[str, Callable[[Part, Path, int], Opened]] = {"zip": _zip, "tar": _tar, "7z": _seven_zip}
