"""The GPUs of this machine, found and allocated without importing TensorFlow, and its fastest precision.

The GPUs are those that CUDA_VISIBLE_DEVICES makes visible, as Slurm sets it; else those that NVIDIA's driver lists.
"""

import os
import re
import socket
import subprocess
from ctypes.util import find_library
from functools import cache
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

VISIBLE = "CUDA_VISIBLE_DEVICES"
QUERY = ("nvidia-smi", "--query-gpu=uuid,name,compute_cap", "--format=csv,noheader")
BFLOAT16_SINCE, FLOAT16_SINCE = (8, 0), (7, 0)  # compute capabilities: Ampere, and Volta with its tensor cores
SLOW_FLOAT16 = (6, 1)  # Pascal's desktop GPUs; other Pascals, such as the Jetson TX2's, compute float16 twice as fast
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}
CPU, BOARD = Path("/proc/cpuinfo"), Path("/proc/device-tree/compatible")
# A container's limit in bytes, of control groups 2 and 1; no number, or a huge one, where there is none.
MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# The chips of Jetson boards, on which nvidia-smi is missing or does not report the capability.
JETSONS = {"tegra210": (5, 3), "tegra186": (6, 2), "tegra194": (7, 2), "tegra234": (8, 7)}
SECONDS = 60  # a driver that takes longer to answer counts as broken
_held: list[socket.socket] = []


class Card(NamedTuple):
    """A GPU: its name in CUDA_VISIBLE_DEVICES, its UUID, the same for all users of the machine, and its model.

    `capability` is CUDA's compute capability, such as (8, 0); (0, 0) if unknown.
    """

    visible: str
    uuid: str
    model: str
    capability: tuple[int, int]


@cache
def cards() -> tuple[Card, ...]:
    """The GPUs that TensorFlow can compute on; none if it lacks CUDA's libraries or if no GPUs are listed."""
    found = listed = _listed()
    if VISIBLE in os.environ:
        names = (name.strip() for name in os.environ[VISIBLE].split(","))
        # CUDA itself stops at the first invalid name, such as -1.
        shown = takewhile(lambda name: name and not name.startswith("-"), names)
        found = tuple(_known(name, listed) for name in shown)
    return found if found and _has_libraries() else ()


def memory() -> int:
    """The MB of memory that this machine has, or that its container may take."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    limits += [int(each.read_text()) for each in MEMORY_LIMITS if each.is_file() and each.read_text().strip().isdigit()]
    return min(limits) // 10**6


def fastest() -> str:
    """The fastest precision that all of this machine's GPUs support, or that of its processor if it has none."""
    able = min((card.capability for card in cards()), default=None)
    if able is None:
        flags = set(CPU.read_text().split()) if CPU.is_file() else set()
        return "bfloat16" if flags & BFLOAT16_FLAGS else "float32"
    if able >= BFLOAT16_SINCE:
        return "bfloat16"
    return "float16" if able >= FLOAT16_SINCE or (6, 0) <= able != SLOW_FLOAT16 else "float32"


def take(count: int) -> list[Card] | None:
    """Reserves `count` GPUs for this process until it ends for whatever reason; None while too few are free.

    A process that binds a name in Linux's abstract socket namespace keeps it until it ends: nothing remains
    afterwards, and the name is visible to every user of the machine.
    """
    taken: list[Card] = []
    for card in cards():
        if len(taken) < count and (holder := _bound(card)):
            _held.append(holder)
            taken.append(card)
    if len(taken) == count:
        return taken
    for _ in taken:
        _held.pop().close()
    return None


def _bound(card: Card) -> socket.socket | None:
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0podium-gpu-{card.uuid}")
    except OSError:  # another process has it
        holder.close()
        return None
    return holder


def _has_libraries() -> bool:
    """Whether TensorFlow finds cuDNN: as a Python package, which `make setup GPU=1` installs, or the system's."""
    own = find_spec("nvidia") and find_spec("nvidia.cudnn")
    return bool(own or find_library("cudnn"))


def _listed() -> tuple[Card, ...]:
    board = BOARD.read_text() if BOARD.is_file() else ""
    if chip := next((chip for chip in JETSONS if chip in board), None):
        return (Card("0", chip, chip, JETSONS[chip]),)
    try:
        said = subprocess.run(QUERY, capture_output=True, text=True, check=True, timeout=SECONDS).stdout
    except (OSError, subprocess.SubprocessError):  # no such command, or no driver
        return ()
    found = []
    for line in said.splitlines():
        uuid, model, capability = (part.strip() for part in line.split(","))
        major, minor = capability.split(".") if re.fullmatch(r"\d+\.\d+", capability) else (0, 0)
        found.append(Card(uuid, uuid, model, (int(major), int(minor))))
    return tuple(found)


def _known(name: str, listed: tuple[Card, ...]) -> Card:
    """The GPU that CUDA_VISIBLE_DEVICES names by its number or by the beginning of its UUID."""
    for number, card in enumerate(listed):
        if name == str(number) or (not name.isdigit() and card.uuid.startswith(name)):
            return card._replace(visible=name)
    # A part of one of them, as MIG divides it.
    return Card(name, name, "GPU", min((card.capability for card in listed), default=(0, 0)))
