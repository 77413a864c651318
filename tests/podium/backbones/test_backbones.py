"""Which weights a backbone may have, told without TensorFlow."""

import string
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium import backbones
from podium.backbones.families import BACKBONES
from podium.step import BadInput

STEMS = st.text(string.ascii_letters + string.digits + " :%é-", min_size=1, max_size=12)
READ = {"": False, ".h5": True, ".weights.h5": True, ".keras": True, ".txt": False, ".h5.zip": False}


@settings(deadline=None)
@given(
    name=st.sampled_from(sorted(BACKBONES)),
    stem=STEMS,
    suffix=st.sampled_from(sorted(READ)),
    kind=st.sampled_from(["file", "folder", "nothing"]),
)
def test_weights_are_taken_where_the_network_can_read_them(name: str, stem: str, suffix: str, kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, stem + suffix)
        if kind == "file":
            path.write_bytes(b"")
        elif kind == "folder":
            path.mkdir()
        wrong = backbones.refusal(name, str(path))
    family = BACKBONES[name]
    if family == "efficientnet_lite":
        assert wrong
    elif family == "saved_model":
        assert (not wrong) == (kind == "folder")
    else:
        assert (not wrong) == (kind == "file" and READ[suffix])
    assert "\n" not in wrong


@pytest.mark.parametrize(("name", "weights"), [("vgg16", "mine.h5"), ("saved_model", "none"), ("vgg19", "imagnet")])
def test_by_hand_too_it_is_said_before_anything_is_built(name: str, weights: str) -> None:
    with pytest.raises(BadInput) as refused:
        backbones.build(name, weights, policy="float32")
    assert str(refused.value) == backbones.refusal(name, weights)
