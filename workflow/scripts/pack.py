"""Pack one part's photos, still encoded, into a TFRecord file."""

from pathlib import Path
from typing import Any

from podium.archives import layouts
from podium.archives.opening import Archive
from podium.photos import records as tfrecords
from podium.step import Output, run
from podium.tables import part_rows, read_csv


def pack(source: Path, index: Path, records: Output, *, part: str, layout: dict[str, Any]) -> None:
    """Pack one part's photos, still encoded, into a TFRecord file with their ids and labels."""
    read = layouts.reader(Archive(source), layout)
    photos = part_rows(read_csv(index), part)
    rows = zip(photos.id, photos.file, photos.label, strict=True)
    tfrecords.write(records, (tfrecords.Record(key, read(file), label) for key, file, label in rows))


if __name__ == "__main__":
    run(pack)
