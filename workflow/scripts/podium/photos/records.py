"""TFRecord files and their `tf.train.Example`s, written and read without importing TensorFlow (5 s per process).

Framing as in tensorflow/core/lib/io/record_writer.h: length, masked CRC-32C, data, masked CRC-32C. The messages are
defined in tensorflow/core/example/feature.proto. Podium's own records have three bytes features each, so any TFRecord
reader can use the files:
`tf.io.parse_single_example(record, {k: tf.io.FixedLenFeature([], tf.string) for k in ("id", "image", "label")})`.
"""

import struct
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from podium.step import BadInput

# The kinds of lists that a Feature may contain, by field number.
KINDS = {1: "bytes", 2: "float", 3: "int64"}
# Protobuf's wire types: https://protobuf.dev/programming-guides/encoding
VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5
LONGEST = 2**31 - 1  # the most bytes of a message: https://protobuf.dev/programming-guides/proto-limits


class Record(NamedTuple):
    """One photo: its id, its encoded bytes, and its label, which is empty if unknown."""

    id: str
    image: bytes
    label: str


class Feature(NamedTuple):
    """A feature of any Example: its kind (`bytes`, `float`, `int64`, or "" for an empty feature) and its values."""

    kind: str
    values: list[bytes] | NDArray[np.float32] | NDArray[np.int64]


def write(path: Path, records: Iterable[Record]) -> None:
    with path.open("wb") as file:
        for record in records:
            data = encode(record)
            length = struct.pack("<Q", len(data))
            file.write(b"".join([length, _masked_crc(length), data, _masked_crc(data)]))


def read(path: Path) -> Iterator[Record]:
    """All records of a file that `write` wrote; raises BadInput, naming the record, if the file is damaged."""
    with path.open("rb") as file:
        yield from map(decode, frames(file, str(path)))


def frames(file: BufferedIOBase, name: str) -> Iterator[bytes]:
    """The data of each record of any TFRecord file; raises BadInput, naming file and record, if it is damaged."""
    number = 0
    while head := file.read(12):
        length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 and _masked_crc(head[:8]) == head[8:] else None
        data = file.read(length) if length is not None and length <= LONGEST else b""
        if len(data) != length or file.read(4) != _masked_crc(data):
            other = "" if number else ", or this is not a TFRecord file"
            raise BadInput(f"{name}: record {number} is damaged{other}")
        yield data
        number += 1


def count(path: Path) -> int:
    """The number of records, found from their lengths alone. Raises BadInput if the last record's head is cut off."""
    number = 0
    with path.open("rb") as file:
        while head := file.read(12):
            if len(head) != 12:
                raise BadInput(f"{path}: record {number} is damaged")
            file.seek(struct.unpack("<Q", head[:8])[0] + 4, 1)
            number += 1
    return number


def encode(record: Record) -> bytes:
    """A serialised `tf.train.Example`, its features in alphabetical order."""
    entries = [("id", record.id.encode()), ("image", record.image), ("label", record.label.encode())]
    features = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, _field(1, _field(1, value)))) for name, value in entries
    )
    return _field(1, features)


def decode(data: bytes) -> Record:
    """The inverse of `encode`, for Examples whose features each contain one bytes value."""
    values = {name: bytes(feature.values[0]) for name, feature in example(data).items()}
    return Record(values["id"].decode(), values["image"], values["label"].decode())


def example(data: bytes) -> dict[str, Feature]:
    """The features of any `tf.train.Example` by name; raises ValueError if the bytes are not an Example."""
    found = {}
    for features in _messages(data, 1):
        for entry in _messages(features, 1):
            parts = {number: value for number, wire, value in _fields(entry) if wire == DELIMITED}
            found[parts.get(1, b"").decode()] = _feature(parts.get(2, b""))
    return found


def _feature(data: bytes) -> Feature:
    """Of lists of several kinds the last kind counts, and lists of one kind are joined, as protobuf merges messages."""
    kind, lists = 0, b""
    for number, wire, value in _fields(data):
        if number in KINDS and wire == DELIMITED:
            kind, lists = number, (lists if number == kind else b"") + value
    if KINDS.get(kind) == "float":
        packed = b"".join(
            value for number, wire, value in _fields(lists) if number == 1 and wire in (DELIMITED, FIXED32)
        )
        return Feature("float", np.frombuffer(packed, "<f4"))
    if KINDS.get(kind) == "int64":
        packed = b"".join(
            value for number, wire, value in _fields(lists) if number == 1 and wire in (DELIMITED, VARINT)
        )
        return Feature("int64", _integers(packed))
    return Feature(KINDS.get(kind, ""), _messages(lists, 1))


def _integers(data: bytes) -> NDArray[np.int64]:
    """Consecutive varints, decoded all at once, since raw pixels are thousands of them."""
    parts = np.frombuffer(data, np.uint8)
    if not len(parts):
        return np.zeros(0, np.int64)
    ends = np.flatnonzero(parts < 0x80)
    if not len(ends) or ends[-1] != len(parts) - 1:
        raise ValueError("a number is cut off")
    starts = np.concatenate([[0], ends[:-1] + 1])
    places = np.arange(len(parts)) - np.repeat(starts, ends - starts + 1)
    if places.max() > 9:
        raise ValueError("a number of more than ten bytes")
    shifted = (parts & 0x7F).astype(np.uint64) << (7 * places).astype(np.uint64)
    return np.bitwise_or.reduceat(shifted, starts).view(np.int64)


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited protobuf field."""
    length, varint = len(value), bytearray()
    while length > 0x7F:
        varint.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([number << 3 | DELIMITED, *varint, length]) + value


def _messages(data: bytes, wanted: int) -> list[bytes]:
    """The length-delimited fields of this number."""
    return [value for number, wire, value in _fields(data) if number == wanted and wire == DELIMITED]


def _fields(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """A message's fields: number, wire type, bytes (varints undecoded); raises ValueError if the message is cut off."""
    at = 0
    while at < len(data):
        # Nearly all tags are one byte, and there are a dozen in a record.
        tag, at = (data[at], at + 1) if data[at] < 0x80 else _varint(data, at)
        if (wire := tag & 7) == DELIMITED:
            length, at = _varint(data, at)
        elif wire == VARINT:
            length = _varint(data, at)[1] - at
        elif wire in (FIXED32, FIXED64):
            length = 4 if wire == FIXED32 else 8
        else:
            raise ValueError(f"no wire type {wire}")
        if at + length > len(data):
            raise ValueError("a field is cut off")
        yield tag >> 3, wire, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The varint at a position, and the position after it."""
    number = shift = 0
    for byte in data[at : at + 10]:
        number |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return number, at
    raise ValueError("a number is cut off")
