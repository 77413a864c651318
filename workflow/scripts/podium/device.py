"""What a step computes on, GPUs or processor cores, and in which precision. Needs TensorFlow.

Limits that do not change results are environment variables: TensorFlow's TF_NUM_INTRAOP_THREADS, and
PODIUM_GPU_MEMORY, the MB that TensorFlow may use of each GPU. Without it, TensorFlow allocates memory as needed.
"""

import os
from functools import cache

import tensorflow as tf

from podium.step import BadInput

PRECISIONS = ("float32", "bfloat16", "float16")


@cache
def gpus() -> list[tf.config.PhysicalDevice]:
    """The GPUs that TensorFlow sees, with their memory limited before it is allocated."""
    found = tf.config.list_physical_devices("GPU")
    limit = os.environ.get("PODIUM_GPU_MEMORY")
    for gpu in found:
        if limit:
            tf.config.set_logical_device_configuration(gpu, [tf.config.LogicalDeviceConfiguration(int(limit))])
        else:
            tf.config.experimental.set_memory_growth(gpu, True)
    return found


def compute_deterministically() -> None:
    """From now on, operations do not use faster algorithms whose rounding differs each time."""
    tf.config.experimental.enable_op_determinism()


def strategy(count: int) -> tf.distribute.Strategy:
    """Distributes a fit over `count` GPUs, each with its share of a batch; raises BadInput if there are fewer."""
    if count == 1:
        return tf.distribute.get_strategy()
    if count > len(gpus()):
        raise BadInput(f"device.gpus: {count}, but TensorFlow sees {len(gpus())} GPUs here")
    return tf.distribute.MirroredStrategy([f"GPU:{number}" for number in range(count)])


def described(count: int = 1) -> str:
    """What a step computes on, up to `count` GPUs or the processor, as a text for its log."""
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus()[:count]]
    if not details:
        cores = int(os.environ.get("TF_NUM_INTRAOP_THREADS") or os.cpu_count() or 1)
        return f"{cores} processor core{'s' * (cores > 1)}"
    return f"{len(details)} GPU{'s' * (count > 1)} ({', '.join(each.get('device_name', 'GPU') for each in details)})"


def policy(precision: str) -> str:
    """The Keras dtype policy for one of `PRECISIONS`; raises BadInput for any other."""
    if precision not in PRECISIONS:
        raise BadInput(f"precision: '{precision}' is not one of {', '.join(PRECISIONS)}")
    return precision if precision == "float32" else f"mixed_{precision}"
