"""TFRecord files of `tf.train.Example`s, gzipped or not; the competition file names their features."""

import io
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import SPLITS
from podium.archives.layouts import Labels, class_names, listed, numbered
from podium.archives.opening import Archive
from podium.photos import images
from podium.photos.records import Feature, example, frames
from podium.step import BadInput


class Example:
    """One record's features, each converted on request; raises BadInput, naming record and feature."""

    def __init__(self, where: str, data: bytes) -> None:
        self.where = where
        try:
            self.features = example(data)
        except ValueError as error:
            raise BadInput(f"{where} is not a tf.train.Example ({error})") from None

    def values(self, name: str) -> Feature:
        if name not in self.features:
            there = ", ".join(sorted(self.features)) or "none"
            raise BadInput(f"{self.where} has no feature '{name}' (there are: {there})")
        return self.features[name]

    def one(self, name: str) -> bytes | int:
        """The value of a feature that contains one text or one whole number."""
        feature = self.values(name)
        if len(feature.values) != 1 or feature.kind not in ("bytes", "int64"):
            raise self.wrong(name, "it must contain one text or one whole number")
        value = feature.values[0]
        return value if isinstance(value, bytes) else int(value)

    def text(self, name: str) -> str:
        """The same value as text of one line."""
        value = self.one(name)
        try:
            text = value.decode() if isinstance(value, bytes) else str(value)
        except UnicodeDecodeError:
            raise BadInput(f"{self.where}: '{name}' is not UTF-8 text") from None
        if not text or "\n" in text or "\r" in text:
            raise BadInput(f"{self.where}: '{name}' {'contains a line break' if text else 'is empty'}")
        return text

    def label(self, name: str, classes: list[str] | None) -> str:
        """The label, stored as a text, as the number of a class, or as a number for each class: one 1, the others 0."""
        feature = self.values(name)
        if feature.kind == "bytes":
            if classes:
                raise self.wrong(name, "labels that are texts need no names, so leave `classes` out")
            return self.text(name)
        if len(feature.values) == 1 and feature.kind == "int64":
            number = self.one(name)
        else:
            values = np.asarray(feature.values)
            if np.count_nonzero(values) != 1 or values.max() != 1:
                raise self.wrong(name, "a label must be one number, or one 1 among zeros")
            number = int(values.argmax())
        return class_names([int(number)], classes, f"{self.where}, '{name}'")[0]

    def image(self, name: str, shape: Sequence[int | str] | None) -> bytes | NDArray[np.uint8]:
        """The encoded image; with a shape, pixels uint8 [h, w, c], from bytes, integers 0..255 or floats 0.0..1.0."""
        feature = self.values(name)
        if shape is None or feature.kind == "bytes":
            if feature.kind != "bytes" or len(feature.values) != 1:
                raise self.wrong(name, "it must contain one encoded image; raw pixels need a shape")
            image = bytes(feature.values[0])
            if shape is None:
                return image
            pixels: NDArray[Any] = np.frombuffer(image, np.uint8)
        else:
            pixels = np.asarray(feature.values)
        sides = [side if isinstance(side, int) else int(self.one(side)) for side in shape]
        if len(pixels) != np.prod(sides):
            raise self.wrong(name, f"the shape requires {' x '.join(map(str, sides))}", len(pixels))
        full = 1 if feature.kind == "float" else 255
        if not ((pixels >= 0) & (pixels <= full)).all():
            raise self.wrong(name, f"pixels of this type must be from 0 to {full}", len(pixels))
        return np.rint(pixels * (255 / full)).astype(np.uint8).reshape(sides)

    def wrong(self, name: str, wanted: str, count: int | None = None) -> BadInput:
        feature = self.features[name]
        held = f"{len(feature.values) if count is None else count} values of type {feature.kind or 'none'}"
        return BadInput(f"{self.where}: '{name}' contains {held}; {wanted}")


def photos(archive: Archive, spec: dict[str, Any], labels: Labels, **_: Any) -> pd.DataFrame:
    """The photos of each split, file by file; test photos may lack a label and a group."""
    found = [_split(archive, spec, labels, split) for split in SPLITS if split in spec]
    return pd.concat(found, ignore_index=True)


def reader(archive: Archive, spec: dict[str, Any]) -> Callable[[str], bytes]:
    def opened(member: str) -> Callable[[int], bytes]:
        records = list(frames(io.BytesIO(archive.unpacked(member)), member))

        def encoded(number: int) -> bytes:
            image = Example(_where(member, number), records[number]).image(spec["image"], spec.get("shape"))
            return image if isinstance(image, bytes) else images.png(image)

        return encoded

    return numbered(opened)


def _split(archive: Archive, spec: dict[str, Any], labels: Labels, split: str) -> pd.DataFrame:
    """The photos of one split; their ids are from their records, or their numbers in the split."""
    members = [name for name in archive.names() if fnmatchcase(name, spec[split])]
    if not members:
        raise BadInput(f"tfrecord.{split}: no file in the archive matches '{spec[split]}' ({archive.said()})")
    found, ids, groups, first = [], list[str](), list[str](), 0
    for member in members:
        stored = []
        for record in _examples(archive, member):
            record.image(spec["image"], spec.get("shape"))
            known = split != "test" or spec["label"] in record.features
            stored.append(labels.read(record.label(spec["label"], spec.get("classes"))) if known else "")
            ids += [record.text(spec["id"])] if "id" in spec else []
            grouped = "group" in spec and (split != "test" or spec["group"] in record.features)
            groups.append(record.text(spec["group"]) if grouped else "")
        found.append(listed(split, member, stored, first))
        first += len(stored)
    table = pd.concat(found, ignore_index=True).assign(group=groups)
    if "id" in spec:
        table["id"] = ids
        if (twice := table.id.duplicated()).any():
            raise BadInput(f"{table.file[twice].iloc[0]}: the id '{table.id[twice].iloc[0]}' occurs twice")
    return table


def _examples(archive: Archive, member: str) -> Iterator[Example]:
    for number, data in enumerate(frames(io.BytesIO(archive.unpacked(member)), member)):
        yield Example(_where(member, number), data)


def _where(member: str, number: int) -> str:
    return f"{member}: record {number}"
