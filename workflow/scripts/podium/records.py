"""TFRecord files of encoded photos, written and read without importing TensorFlow (5 s a process).

Framing as in tensorflow/core/lib/io/record_writer.h: length, masked CRC-32C, data, masked CRC-32C. Each
record is a `tf.train.Example` with three bytes features, so that any TFRecord reader can use the files:
`tf.io.parse_single_example(record, {k: tf.io.FixedLenFeature([], tf.string) for k in ("id", "image", "label")})`.
"""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import google_crc32c

from podium.step import BadInput


class Record(NamedTuple):
    """One photo: its id, its encoded bytes, and its label, empty where it is not known."""

    id: str
    image: bytes
    label: str


def write(path: Path, records: Iterable[Record]) -> None:
    with path.open("wb") as file:
        for record in records:
            data = encode(record)
            length = struct.pack("<Q", len(data))
            file.write(b"".join([length, _masked_crc(length), data, _masked_crc(data)]))


def read(path: Path) -> Iterator[Record]:
    """Raises BadInput, naming the record, where the file is damaged."""
    with path.open("rb") as file:
        number = 0
        while head := file.read(12):
            length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 and _masked_crc(head[:8]) == head[8:] else None
            data = file.read(length) if length is not None else b""
            if len(data) != length or file.read(4) != _masked_crc(data):
                raise BadInput(f"{path}: record {number} is damaged")
            yield decode(data)
            number += 1


def count(path: Path) -> int:
    """How many records a file holds, by their lengths alone. Raises BadInput where its end is cut."""
    number = 0
    with path.open("rb") as file:
        while head := file.read(12):
            if len(head) != 12:
                raise BadInput(f"{path}: record {number} is damaged")
            file.seek(struct.unpack("<Q", head[:8])[0] + 4, 1)
            number += 1
    return number


def encode(record: Record) -> bytes:
    """A serialised `tf.train.Example`, the features in alphabetical order."""
    entries = [("id", record.id.encode()), ("image", record.image), ("label", record.label.encode())]
    features = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, _field(1, _field(1, value)))) for name, value in entries
    )
    return _field(1, features)


def decode(data: bytes) -> Record:
    """The inverse of `encode`, for Examples whose features each hold one bytes value."""
    values = {}
    for entry in _fields(_fields(data)[0][1]):
        parts = dict(_fields(entry[1]))
        values[parts[1].decode()] = _fields(_fields(parts[2])[0][1])[0][1]
    return Record(values["id"].decode(), values["image"], values["label"].decode())


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited protobuf field (https://protobuf.dev/programming-guides/encoding)."""
    length, varint = len(value), bytearray()
    while length > 0x7F:
        varint.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([number << 3 | 2, *varint, length]) + value


def _fields(data: bytes) -> list[tuple[int, bytes]]:
    """The length-delimited fields of a message as number and value."""
    fields, at = [], 0
    while at < len(data):
        number, length, shift = data[at] >> 3, 0, 0
        at += 1
        while True:
            length |= (data[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 0x80:
                break
        fields.append((number, data[at : at + length]))
        at += length
    return fields
