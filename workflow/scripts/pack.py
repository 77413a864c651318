"""Pack one part's photos, still encoded, into a TFRecord file."""

from pathlib import Path

from podium import records as tfrecords
from podium.archive import Archive
from podium.step import Output, run
from podium.tables import part_rows, read_csv


def pack(source: Path, index: Path, records: Output, *, part: str) -> None:
    """Pack one part's photos, still encoded, into a TFRecord file with their ids and labels."""
    archive = Archive(source)
    photos = part_rows(read_csv(index), part)
    rows = zip(photos.id, photos.file, photos.label, strict=True)
    tfrecords.write(records, (tfrecords.Record(key, archive.read(file), label) for key, file, label in rows))


if __name__ == "__main__":
    run(pack)
