"""List every photo with its label, split and part; set aside the photos that cannot be read."""

import hashlib
import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from podium import SPLITS, tasks
from podium.archives import layouts
from podium.archives.opening import Archive
from podium.photos import images
from podium.progress import in_threads
from podium.step import BadInput, Output, escaped, log, run
from podium.tables import INDEX_COLUMNS, KEYS, QUARANTINE_COLUMNS, answered, write_csv
from podium.tasks.dense import DenseTask

NAMED_BY = 32  # digits of its digest, which are a label's file's name
UNSEEN = images.Seen(0, 0, "", "", None)


def index(
    source: Path,
    index: Output,
    quarantine: Output,
    depth: Output,
    features: Output,
    targets: Output,
    *,
    task: dict[str, Any],
    layout: dict[str, Any],
    strict: bool,
    shards: int,
    max_megapixels: float,
    range: list[float] | None,
    percentile: float | None,
    threads: int,
) -> None:
    """List every photo with its label, split and part; set aside the photos that cannot be read.

    `task` is the task's name with its settings. `layout` describes how the archive is laid out: one of the layout keys
    of config/README.md, with its value. A mismatch between tables and files raises BadInput, naming the row or the
    file, and so does a photo of more than `max_megapixels`, or of a format whose package is not installed; with
    `strict` off, such photos and rows without a file are set aside and files without a row are left out.

    `depth` is a JSON file with the `range` of values shown of photos of more than 8 bits a pixel: the least is black,
    the largest white; null leaves it to each photo. The range is the setting `range`, or lies between the percentiles
    100 - `percentile` and `percentile` of the training photos' values.

    `features` is an array of the numbers that the archive gives beside the photos, float32 [photos, features], in the
    order of the index. `targets` is a folder with a file for each label of a dense task, which the index then names.
    """
    archive = Archive(source)
    target = tasks.task(task)
    photos, beside = layouts.photos(archive, layout, target, strict=strict), layouts.features(archive, layout)
    told = photos.label[(photos.split == "train") & (photos.label != "")]
    for doubt in target.doubts(told, _column(layout)):
        log.warning("WARNING: %s", doubt)
    photos = _examine(layouts.reader(archive, layout), photos, strict, max_megapixels, threads)
    targets.mkdir(exist_ok=True)
    if isinstance(target, DenseTask):
        photos = _drawn(target, photos, archive.read, targets, threads)
    del archive  # it takes as much memory as the table of its photos
    readable, unreadable = photos[photos.reason == ""], photos[photos.reason != ""]
    readable = readable.assign(group=_together(readable.digest, readable.group, _shared(readable)))
    for name, spec in layout.items():
        if "holdout" in spec:
            readable = _set_aside(target, readable, name, spec["holdout"], spec["seed"])
    _check(target, readable, unreadable)
    readable = readable.assign(part=_parts(readable.split, shards))
    write_csv(index, readable[INDEX_COLUMNS])
    write_csv(quarantine, unreadable.assign(reason=unreadable.reason.map(escaped))[QUARANTINE_COLUMNS])
    with features.open("wb") as file:
        np.save(file, _beside(readable, beside))
    depth.write_text(json.dumps({"range": _range(readable, range, percentile)}))


def _drawn(
    task: DenseTask, photos: pd.DataFrame, read: Callable[[str], bytes], folder: Path, threads: int
) -> pd.DataFrame:
    """Keeps the label of each photo that can be read as a file, and names it; raises BadInput, naming the photo."""

    def drawn(row: tuple[str, str, str, int, int]) -> str:
        file, label, reason, width, height = row
        if not label or reason:
            return ""
        try:
            data = task.drawn(label, read, width, height)
        except ValueError as error:
            raise BadInput(f"{file}: {error}") from None
        # Of photos with the same target each thread writes the same bytes.
        name = f"{hashlib.sha256(data).hexdigest()[:NAMED_BY]}.png"
        (folder / name).write_bytes(data)
        return name

    rows = photos[["file", "label", "reason", "width", "height"]].itertuples(index=False, name=None)
    return photos.assign(label=list(in_threads(drawn, rows, len(photos), "targets", threads)))


def _beside(photos: pd.DataFrame, features: pd.DataFrame | None) -> NDArray[np.float32]:
    """The features of these photos, float32 [n, features]; where there is none, the mean of the training photos'."""
    if features is None:
        return np.zeros((len(photos), 0), np.float32)
    found = features.reindex(pd.MultiIndex.from_frame(photos[KEYS])).to_numpy(np.float64)
    train = found[(photos.split == "train").to_numpy()]
    for name, lost in zip(features.columns, np.isnan(train).all(0), strict=True):
        if lost:
            raise BadInput(f"tables.features: '{name}': all cells of the training photos are empty")
    return np.where(np.isnan(found), np.nanmean(train, axis=0), found).astype(np.float32)


def _column(layout: dict[str, Any]) -> str:
    """What to call the labels in a message."""
    ((name, spec),) = layout.items()
    label = {"tables": lambda: spec["train"].get("label"), "tfrecord": lambda: spec["label"]}.get(name, list)()
    return f"'{label}'" if isinstance(label, str) else "the label"


def _examine(
    read: Callable[[str], bytes], photos: pd.DataFrame, strict: bool, max_megapixels: float, threads: int
) -> pd.DataFrame:
    """Adds the columns of `images.examine` and the digest, or the reason why a file cannot be read."""

    def examine(row: tuple[str, str]) -> tuple[Any, ...]:
        file, reason = row
        try:
            if not reason:
                data = read(file)
                return *images.examine(data, max_megapixels), hashlib.sha256(data).hexdigest(), ""
        except (images.Unreadable, BadInput) as error:
            if strict and isinstance(error, images.Refused):
                raise BadInput(f"{file}: {error} (`strict: false` sets such photos aside)") from None
            reason = str(error)
        return *UNSEEN, "", reason

    # Columns are filled photo by photo, since a million rows of Python's would take half a gigabyte.
    columns: dict[str, Any] = {name: [] for name in (*images.Seen._fields, "digest", "reason")}
    columns |= {"width": array("q"), "height": array("q")}
    rows = zip(photos.file, photos.reason, strict=True)
    for found in in_threads(examine, rows, len(photos), "photos", threads):
        for column, value in zip(columns.values(), found, strict=True):
            column.append(value)
    return photos.assign(**columns)


def _range(photos: pd.DataFrame, range: list[float] | None, percentile: float | None) -> list[float] | None:
    """The range to store in `depth`; warns if no setting gives one and photos use little of the range shown."""
    deep = photos[photos.depth.notna()]
    if not len(deep):
        for name, given in (("range", range), ("percentile", percentile)):
            if given:
                log.warning("WARNING: `index.%s` has no effect: no photo has more than 8 bits a pixel", name)
        return range
    if percentile:
        samples = [values.sample for values in deep.depth[deep.split == "train"]]
        ends = np.percentile(np.concatenate(samples or [np.zeros(1)]), [100 - percentile, percentile])
        least, most = map(float, ends)
        if least == most:
            raise BadInput(f"index.percentile: {percentile:g} % of the training photos' values are {least:g}")
        log.info("values from %g to %g are shown: percentile %g of the training photos", least, most, percentile)
        return [least, most]
    if not range:
        _warn_of_depth(deep)
    return range


def _warn_of_depth(deep: pd.DataFrame) -> None:
    """Warns, with their range, of photos that use less than half of the range shown, or exceed it, or share none."""
    values = pd.DataFrame(list(deep.depth))
    for kind, own in values[values.kind != ""].groupby("kind"):
        least, most = own.least.min(), own.most.max()
        black, white = own.black.min(), own.white.max()
        if kind == "float" and most > 1:
            shown = "each is scaled by its own largest value"
        elif least < black or not black + (white - black) / 2 < most <= white:
            shown = f"are scaled as if they contained {black:.10g} to {white:.10g}"
        else:
            continue
        say = f"`index.range: [{least:.10g}, {most:.10g}]`, or `index.percentile: 99.9`"
        log.warning(
            "WARNING: %d %s photos contain %.10g to %.10g, and %s: set %s", len(own), kind, least, most, shown, say
        )


def _together(digests: pd.Series, *names: pd.Series) -> NDArray[np.int64]:
    """A number for each photo, the same for copies and for photos that share one of their names, and along chains.

    Numbers count from 0 in the order of the photos. A photo without a name is grouped with its copies only.
    """
    digest, copies = digests.factorize()
    links, ends = len(copies), [np.zeros((2, 0), np.int64)]
    for each in names:
        name, named = each.mask(each == "").factorize()
        ends.append(np.stack([digest, links + name])[:, name >= 0])
        links += len(named)
    pairs = np.concatenate(ends, axis=1)
    linked = coo_array((np.ones(pairs.shape[1]), (pairs[0], pairs[1])), (links, links))
    return pd.factorize(connected_components(linked, directed=False)[1][digest])[0].astype(np.int64)


def _shared(photos: pd.DataFrame) -> pd.Series:
    """The split and id of photos that share them with others, as one text; else empty."""
    several = photos[photos.duplicated(KEYS, keep=False)]
    if len(several):
        ids = len(answered(several))
        log.info("%d ids have several photos, %d in all: their predictions are averaged", ids, len(several))
    return (several.split + "/" + several.id).reindex(photos.index, fill_value="")


def _set_aside(task: tasks.Task, photos: pd.DataFrame, layout: str, fraction: float, seed: int) -> pd.DataFrame:
    """Moves a seeded fraction of each class from the training to the test split, as closely as taking whole groups one
    by one allows. Raises BadInput if no group fits the fraction.

    No class disappears from the training photos; a photo with several labels stays there with its whole group.
    """
    random, train = np.random.default_rng(seed), photos[photos.split == "train"]
    plain = train.groupby("digest").label.transform("nunique") == 1
    distinct = train[plain.groupby(train.group).transform("all")].drop_duplicates("digest")
    strata = task.strata(task.truth(distinct.label, task.taught(train))).tolist()
    groups, by_label = defaultdict[int, Counter[int]](Counter), defaultdict[int, dict[int, None]](dict)
    names = defaultdict[int, Counter[str]](Counter)
    for group, stratum, label in zip(distinct.group, strata, distinct.label, strict=True):
        groups[group][stratum] += 1
        names[group].update(task.names(label))
        by_label[stratum][group] = None  # a set that keeps its order
    total, held = Counter(strata), set[int]()
    left = Counter(name for own in names.values() for name in own.elements())
    wanted = Counter({stratum: round(fraction * count) for stratum, count in total.items()})
    for label in sorted(by_label):
        for group in random.permutation(list(by_label[label])):
            own = groups[group]
            # What holding it out adds to the sum of squared distances from the wanted shares.
            farther = sum(count * (count - 2 * wanted[each]) / total[each] ** 2 for each, count in own.items())
            if farther < 0 and group not in held and all(left[each] > n for each, n in names[group].items()):
                held.add(group)
                left.subtract(names[group])
                wanted.subtract(own)
    if not held:
        raise BadInput(f"{layout}.holdout: a share of {fraction} of each class is less than one photo or group")
    split = photos.split.mask(photos.group.isin(held) & (photos.split == "train"), "test")
    # Split after split, as where tables list them.
    return photos.assign(split=split).sort_values("split", key=lambda each: each.map(SPLITS.index), kind="stable")


def _check(task: tasks.Task, readable: pd.DataFrame, unreadable: pd.DataFrame) -> None:
    """Raises BadInput if there are too few classes to learn; warns of what a competitor should know."""
    train = readable[readable.split == "train"]
    if len(labels := task.taught(readable)) < task.fewest:
        first = (
            f"; the first that cannot be read: {unreadable.file.iloc[0]} ({unreadable.reason.iloc[0]})"
            if len(unreadable)
            else ""
        )
        found = f"{len(labels)} {task.unit} among the {len(train)} training photos that can be read"
        raise BadInput(f"{found}, at least {task.fewest} are needed{first}")
    for label in sorted(set(task.taught(unreadable)) - set(labels)):
        log.warning("WARNING: no training photo of '%s' can be read: it is lost", label)
    answered_by_others = pd.MultiIndex.from_frame(unreadable[KEYS]).isin(pd.MultiIndex.from_frame(readable[KEYS]))
    lost = (unreadable.split == "test") & ~answered_by_others
    without = unreadable.reason == layouts.UNLABELLED
    if without.any():
        said = "WARNING: %d rows have no label and are left out: see quarantine.csv; the first is that of %s"
        log.warning(said, without.sum(), unreadable.file[without].iloc[0])
    for (split, asked), own in unreadable[~without].groupby(["split", lost.rename("asked")]):
        fate = "get the training photos' label frequencies in the submission" if asked else "are left out"
        log.warning(
            "WARNING: %d %s photos cannot be read and %s: see quarantine.csv; the first is %s (%s)",
            len(own),
            split,
            fate,
            own.file.iloc[0],
            own.reason.iloc[0],
        )
    if len(cut := readable[readable.note != ""]):
        log.warning(
            "WARNING: %d photos are used only in part: see `note` in index.csv; the first is %s (%s)",
            len(cut),
            cut.file.iloc[0],
            cut.note.iloc[0],
        )
    for split in ("validation", "test"):
        copies = readable[(readable.split == split) & readable.digest.isin(train.digest)]
        if len(copies):
            log.warning(
                "WARNING: %d %s photos are also training photos, such as %s", len(copies), split, copies.file.iloc[0]
            )
        kin = readable[(readable.split == split) & readable.group.isin(train.group)].drop(copies.index)
        if len(kin):
            log.warning(
                "WARNING: %d %s photos share a group with training photos, such as %s: "
                "scores on them are too optimistic",
                len(kin),
                split,
                kin.file.iloc[0],
            )
    conflicts = train.groupby("digest").label.nunique()
    if (conflicts > 1).any():
        file = train.file[train.digest == conflicts[conflicts > 1].index[0]].iloc[0]
        log.warning(
            "WARNING: %d training photos have copies with other labels, such as %s", (conflicts > 1).sum(), file
        )
    log.info(
        "%d %s; %s",
        len(labels),
        task.unit,
        ", ".join(f"{count} {split}" for split, count in readable.split.value_counts(sort=False).items()),
    )


def _parts(splits: pd.Series, shards: int) -> NDArray[np.object_]:
    """The part of each photo: every split is cut into `shards` runs of consecutive photos, of nearly equal length."""
    position, size = splits.groupby(splits).cumcount(), splits.groupby(splits).transform("size")
    code, found = splits.factorize()
    names = np.array([f"{split}-{shard}" for split in found for shard in range(shards)], object)
    return names[code * shards + position * shards // size]


if __name__ == "__main__":
    run(index)
