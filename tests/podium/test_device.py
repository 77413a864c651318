"""What a machine without a GPU computes with; each case in a process of its own, as a step is."""

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

from podium import device
from podium.step import BadInput

REPORT = """
import json, sys
import tensorflow as tf
from podium import device
gpus = device.gpus()
print(json.dumps({
    "gpus": len(gpus),
    "policies": [device.policy(precision) for precision in device.PRECISIONS],
    "replicas": device.strategy(1).num_replicas_in_sync,
    "computes on": device.described(),
    "sum": float(tf.reduce_sum(tf.ones([100]))),
}))
"""


def reported(**environment: str) -> dict[str, object]:
    hidden = os.environ | {"PYTHONPATH": str(ROOT / "workflow/scripts"), "CUDA_VISIBLE_DEVICES": "-1", **environment}
    done = subprocess.run([sys.executable, "-c", REPORT], env=hidden, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_a_memory_limit_without_a_gpu_changes_nothing() -> None:
    limited = reported(PODIUM_GPU_MEMORY="512")
    assert limited == reported()
    assert limited["gpus"] == 0
    assert limited["replicas"] == 1
    assert limited["sum"] == 100
    assert reported(TF_NUM_INTRAOP_THREADS="3")["computes on"] == "3 processor cores"


def test_a_fit_is_spread_over_as_many_gpus_as_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    names = {"first": {"device_name": "NVIDIA H100"}, "second": {"device_name": "NVIDIA L4"}, "third": {}}
    monkeypatch.setattr(device, "gpus", lambda: list(names))
    monkeypatch.setattr(tf.config.experimental, "get_device_details", names.get)
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", list)
    assert device.strategy(2) == ["GPU:0", "GPU:1"]
    assert device.strategy(1).num_replicas_in_sync == 1
    assert device.described(1) == "1 GPU (NVIDIA H100)"
    assert device.described(2) == "2 GPUs (NVIDIA H100, NVIDIA L4)"
    with pytest.raises(BadInput, match=r"^device\.gpus: 4, but TensorFlow sees 3 GPUs here$"):
        device.strategy(4)


@pytest.mark.parametrize(
    ("precision", "policy"),
    [("float32", "float32"), ("bfloat16", "mixed_bfloat16"), ("float16", "mixed_float16")],
)
def test_a_named_precision_is_a_policy_of_keras(precision: str, policy: str) -> None:
    import keras

    assert device.policy(precision) == policy
    made = keras.dtype_policies.get(policy)
    assert (made.compute_dtype, made.variable_dtype) == (precision, "float32")


def test_what_a_machine_would_choose_by_itself_is_no_precision_of_a_step() -> None:
    with pytest.raises(BadInput, match=r"^precision: 'auto' is not one of float32, bfloat16, float16$"):
        device.policy("auto")
