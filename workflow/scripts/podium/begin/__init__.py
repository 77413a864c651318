"""What `begin` understands of an archive that nobody has described: hypotheses, each with its evidence. No TensorFlow.

catalogue.py lists what there is, roles.py says which table is what, templates.py how a row becomes a photo, paths.py
what paths say where no table does, target.py which column is the target and labels.py what its labels are, masks.py
and pictures.py what is asked of each pixel, budget.py how long that is trained, beside.py what else tables say,
description.py which metric a description names, and draft.py makes a competition file of it.
"""

from typing import Any, NamedTuple

Settings = dict[str, Any]


class Finding(NamedTuple):
    """Settings of a competition file, and what speaks for them."""

    settings: Settings
    why: str


class Doubt(NamedTuple):
    """A question with two answers that are about equally likely: settings, of which the first are taken."""

    question: str
    taken: Settings
    other: Settings
