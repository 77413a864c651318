"""A folder of photos for each class."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from podium.archives.layouts import Labels
from podium.archives.opening import Archive
from podium.step import BadInput


def photos(archive: Archive, spec: dict[str, Any], labels: Labels, **_: Any) -> pd.DataFrame:
    """Every file in a folder below `path`, labelled with that folder's name."""
    path = spec["path"]
    root = f"{path.strip('/')}/" if path.strip("/.") else ""
    inside = [name for name in archive.names() if name.startswith(root) and "/" in name.removeprefix(root)]
    if not inside:
        raise BadInput(f"folders.path: the archive has no folder of photos below '{root}'")
    ids = [name.removeprefix(root) for name in inside]
    own = [labels.read(key.partition("/")[0]) for key in ids]
    return pd.DataFrame({"id": ids, "file": inside, "label": own, "split": "train", "reason": "", "group": ""})


def reader(archive: Archive, _: dict[str, Any]) -> Callable[[str], bytes]:
    return archive.read
