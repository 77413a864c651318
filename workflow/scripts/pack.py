"""Pack all photos, still encoded, into a TFRecord file for each part."""

from pathlib import Path
from typing import Any

from podium import SPLITS
from podium.archives import layouts
from podium.archives.opening import Archive
from podium.photos import records as tfrecords
from podium.step import Output, run
from podium.tables import read_csv


def pack(source: Path, index: Path, records: Output, *, shards: int, layout: dict[str, Any]) -> None:
    """Pack all photos, still encoded, with their ids and labels into a folder of TFRecord files, one for each part.

    One pass over the archive writes them all, so that many `shards` cost no more than one. A part without photos has a
    file too.
    """
    read = layouts.reader(Archive(source), layout)
    photos = read_csv(index, ["id", "file", "label", "part"])
    places = photos.groupby("part").indices
    records.mkdir()
    for part in (f"{split}-{shard}" for split in SPLITS for shard in range(shards)):
        own = photos.iloc[places.get(part, [])]
        rows = zip(own.id, own.file, own.label, strict=True)
        tfrecords.write(
            records / f"{part}.tfrecord", (tfrecords.Record(key, read(file), label) for key, file, label in rows)
        )


if __name__ == "__main__":
    run(pack)
