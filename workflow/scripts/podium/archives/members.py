"""The members of a zip, one by one: `zipfile` keeps 600 bytes in memory for each, and competitions have millions.

The format, from https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 and 4.5.3: the members, each
behind a header, then a directory of them, then its end, which states where it lies. No TensorFlow.
"""

import io
import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, Self

from podium.step import BadInput

LOCAL, LOCAL_MARK = struct.Struct("<4s22x2H"), b"PK\3\4"
ENTRY, ENTRY_MARK = struct.Struct("<4s4x2H4x3L3H4x2L"), b"PK\1\2"
END, END_MARK = struct.Struct("<4s8x2L2x"), b"PK\5\6"
# Zip64: another end and what locates it, both before the usual end; in an entry, a field of numbers of 64 bits.
END64, END64_MARK = struct.Struct("<4s36x2Q"), b"PK\6\6"
LOCATOR, LOCATOR_MARK = struct.Struct("<4sL8xL"), b"PK\6\7"
WIDE, WIDE_FIELD = 0xFFFFFFFF, 1
LONGEST_END = END64.size + LOCATOR.size + END.size + 0xFFFF  # with a comment of any length
UTF8 = 1 << 11
# Methods that expand only as far as requested; a few bytes of bzip2 become gigabytes, whatever their header states.
STORED, DEFLATED = 0, 8
PIECE = 1 << 20


class Part(io.RawIOBase):
    """A part of an open file as a file of its own, which messages call `name`; threads may share what `at` reads."""

    def __init__(self, file: IO[bytes], name: str, start: int = 0, size: int | None = None) -> None:
        self.name, self.size = name, os.fstat(file.fileno()).st_size if size is None else size
        self._file, self._start, self._place = file, start, 0

    @classmethod
    def whole(cls, path: Path, name: str = "") -> Self:
        """All of a file, which is open as long as a part of it is in use."""
        return cls(path.open("rb"), name or str(path))

    @classmethod
    def written(cls, name: str, folder: Path, write: Callable[[IO[bytes]], object]) -> Self:
        """A temporary file in `folder`, filled by `write`, that is gone once no part of it is in use."""
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        write(file)
        file.flush()
        return cls(file, name)

    def inside(self, name: str, start: int, size: int) -> "Part":
        return Part(self._file, name, self._start + start, size)

    def opened(self) -> BinaryIO:
        """Once more, from its beginning, with a buffer."""
        return io.BufferedReader(self.inside(self.name, 0, self.size))

    def at(self, place: int, size: int) -> bytes:
        """So many bytes from this place on, or fewer at its end, or where the system gives no more at a time."""
        return os.pread(self._file.fileno(), max(0, min(size, self.size - place)), self._start + place)

    def pieces(self, place: int, size: int) -> Iterator[bytes]:
        """The bytes from this place on, in pieces of at most PIECE bytes; fewer than `size` if the file ends before."""
        while size and (piece := self.at(place, min(size, PIECE))):
            place, size = place + len(piece), size - len(piece)
            yield piece

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.at(self._place, len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


class Member(NamedTuple):
    """What the directory states of a member; `start` is the place of its header in the file."""

    name: str
    mode: int  # as in Unix, or 0
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    start: int


def members(zipped: Path | Part) -> Iterator[Member]:
    """All members in the directory's order; raises BadInput if the file is not a complete zip."""
    part = Part.whole(zipped) if isinstance(zipped, Path) else zipped
    with part.opened() as file:
        try:
            start, left, before = _directory(file)
            file.seek(start)
            while left > 0:
                member, length = _entry(file, before)
                left -= length
                yield member
            if left:
                raise ValueError("its directory is damaged")
        except (struct.error, ValueError) as error:
            raise BadInput(f"{part.name}: not a complete zip file ({error})") from error


def expand(part: Part, member: Member, out: IO[bytes]) -> None:
    """Writes a stored or deflated member's bytes; raises ValueError if it is damaged, or expands to more than it
    states.

    Threads may share the part, since its position is neither used nor changed.
    """
    expander, crc, left = zlib.decompressobj(-zlib.MAX_WBITS), 0, member.size
    for packed in part.pieces(data_start(part, member), member.packed):
        # A limit of 0 would be none.
        limit = max(1, left)
        piece = expander.decompress(packed, limit) if member.method == DEFLATED else packed[:limit]
        crc, left = zlib.crc32(piece, crc), left - len(piece)
        out.write(piece)
    if left or crc != member.crc:
        raise ValueError("Bad CRC-32")


def data_start(part: Part, member: Member) -> int:
    """Where a member's packed bytes begin; raises ValueError if its header is missing."""
    mark, name, extra = LOCAL.unpack(part.at(member.start, LOCAL.size).ljust(LOCAL.size))
    if mark != LOCAL_MARK:
        raise ValueError("its header is missing")
    return member.start + LOCAL.size + name + extra


def _directory(file: BinaryIO) -> tuple[int, int, int]:
    """Where the directory starts, its bytes, and how many bytes, counted in no offset, come before the zip."""
    first = max(0, file.seek(0, os.SEEK_END) - LONGEST_END)
    file.seek(first)
    tail = file.read()
    if (end := tail.rfind(END_MARK)) < 0:
        raise ValueError("its end is missing")
    _, size, offset = END.unpack_from(tail, end)
    wide = end - LOCATOR.size - END64.size
    if wide >= 0 and tail.startswith(END64_MARK, wide) and tail.startswith(LOCATOR_MARK, wide + END64.size):
        end, (_, disk, disks) = wide, LOCATOR.unpack_from(tail, wide + END64.size)
        if disk or disks > 1:
            raise ValueError("it is one of several files")
        _, size, offset = END64.unpack_from(tail, end)
    if (start := first + end - size) < offset:
        raise ValueError("a part of it is missing")
    return start, size, start - offset


def _entry(file: BinaryIO, before: int) -> tuple[Member, int]:
    """The next member of the directory, and the length of its entry."""
    mark, flags, method, crc, packed, size, *lengths, attributes, start = ENTRY.unpack(file.read(ENTRY.size))
    rest = file.read(sum(lengths))
    if mark != ENTRY_MARK or len(rest) != sum(lengths):
        raise ValueError("its directory is damaged")
    # As zipfile does, a name ends at its first zero byte.
    name = rest[: lengths[0]].decode("utf-8" if flags & UTF8 else "cp437").partition("\0")[0]
    if WIDE in (size, packed, start):
        size, packed, start = _wide(rest[lengths[0] : lengths[0] + lengths[1]], [size, packed, start])
    return Member(name, attributes >> 16, flags, method, crc, packed, size, start + before), ENTRY.size + len(rest)


def _wide(extra: bytes, numbers: list[int]) -> list[int]:
    """The numbers, those that do not fit into 32 bits replaced by those of the zip64 field, which come in order."""
    at = 0
    while at + 4 <= len(extra):
        field, length = struct.unpack_from("<2H", extra, at)
        own, at = extra[at + 4 : at + 4 + length], at + 4 + length
        if field == WIDE_FIELD and len(own) == length:
            wide = iter(struct.unpack_from(f"<{numbers.count(WIDE)}Q", own))
            return [next(wide) if number == WIDE else number for number in numbers]
    return numbers
