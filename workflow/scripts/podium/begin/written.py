"""A draft as a commented YAML file. No TensorFlow."""

import textwrap
from typing import Any

import yaml

from podium.begin import Doubt
from podium.begin.draft import Draft

ORDER = (
    "archive",
    "unpack",
    "task",
    "classification",
    "multilabel",
    "ordinal",
    "regression",
    "segmentation",
    "image_to_image",
    "metric",
    "tables",
    "names",
    "submission",
    "index",
    "preprocess",
    "run",
)
WIDTH = 110


def written(draft: Draft) -> str:
    """The file's text: each setting behind the evidence for it, and the other answer to each doubt as a comment."""
    settings = draft.settings
    keys = sorted(settings, key=lambda key: ORDER.index(key) if key in ORDER else len(ORDER))
    lines = [
        "# Written by begin.py after a look into the archive: read what it understood, and correct what is wrong.",
        "",
    ]
    said = set[str]()
    for key in keys:
        if not settings[key] and settings[key] != 0:
            continue
        for finding in draft.findings:
            if key in finding.settings and finding.settings[key] != {} and finding.why not in said:
                said.add(finding.why)
                lines += _comment(finding.why)
        lines += _yaml(key, settings[key])
        lines += [line for doubt in draft.doubts if key in doubt.other for line in _doubt(draft, doubt, key)]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH, break_long_words=False)]


def _doubt(draft: Draft, doubt: Doubt, key: str) -> list[str]:
    """The other answer, as a line to uncomment."""
    other = draft.answered(doubt).settings.get(key)
    if not other or other == draft.settings[key]:
        return []
    return [*_comment(f"In doubt: {doubt.question} Then instead:"), *(f"# {line}" for line in _yaml(key, other))]


def _yaml(key: str, value: Any) -> list[str]:
    if isinstance(value, dict) and any(isinstance(each, dict) for each in value.values()):
        inner = [line for name, each in value.items() for line in _yaml(name, each)]
        return [f"{key}:", *(f"  {line}" for line in inner)]
    dumped = yaml.safe_dump({key: value}, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False)
    return [dumped.strip()[1:-1]]
