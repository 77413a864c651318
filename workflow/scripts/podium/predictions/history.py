"""All settings that an experiment was scored with, and the figures: the file `scored.jsonl`. No TensorFlow."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class Scored(NamedTuple):
    """The figures of an experiment with these settings, on the photos with this digest."""

    settings: dict[str, Any]
    photos: str
    figures: dict[str, Any]

    @property
    def digest(self) -> str:
        return hashlib.sha256(_line(self).encode()).hexdigest()[:16]


def read(path: Path) -> list[Scored]:
    """All that was scored, the latest last; empty if there is no such file."""
    if not path.exists():
        return []
    return [Scored(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def add(path: Path, latest: Scored) -> None:
    """Appends it, in place of an earlier line with the same settings and photos."""
    others = [each for each in read(path) if each[:2] != latest[:2]]
    path.write_text("".join(f"{_line(each)}\n" for each in [*others, latest]), encoding="utf-8")


def plain(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings as they are after a round trip through the file."""
    return json.loads(json.dumps(settings))


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    """The differences by the settings' dotted names, such as `{"train.cnn.epochs": "12 -> 6"}`."""
    found = {}
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key), after.get(key)
        if key not in after:
            found[key] = "left out"
        elif key not in before:
            found[key] = "added" if isinstance(new, dict) else f"added, {_said(new)}"
        elif isinstance(old, dict) and isinstance(new, dict):
            found |= {f"{key}.{name}": words for name, words in differences(old, new).items()}
        elif old != new:
            found[key] = f"{_said(old)} -> {_said(new)}"
    return found


def _line(scored: Scored) -> str:
    return json.dumps(scored._asdict(), ensure_ascii=False)


def _said(value: Any) -> str:
    """As YAML, in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True).removesuffix("...\n").strip()
