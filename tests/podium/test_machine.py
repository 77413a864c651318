"""Which GPUs a machine shows and who has them; no test needs one: a script stands in for NVIDIA's own."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from conftest import ROOT, snakemake

from podium import machine
from podium.machine import Card

SCRIPTS = ROOT / "workflow/scripts"
STEP = '''
import os, time
from pathlib import Path
from podium.step import Output, run

def compute(computed: Output, *, beside: int) -> None:
    """Say which GPUs are seen, while so many such steps run."""
    Path(f"{beside}-{os.getpid()}.here").touch()
    for _ in range(1000):
        if len(list(Path().glob(f"{beside}-*.here"))) >= beside:
            break
        time.sleep(0.02)
    else:
        raise TimeoutError
    computed.write_text(str(os.environ.get("CUDA_VISIBLE_DEVICES")))

if __name__ == "__main__":
    run(compute)
'''
RULES = """
rule all:
    input: "none-0.txt", "one-0.txt", "one-1.txt", "both-0.txt"
rule compute:
    output: computed="{name}-{n}.txt"
    log: "{name}-{n}.log"
    threads: 1
    resources: gpu=lambda w: {"none": 0, "one": 1, "both": 2}[w.name]
    params: settings=lambda w: {"beside": 2 if w.name == "one" else 1}
    script: "compute.py"
"""
# Takes a GPU, says which, and keeps it.
HOLDER = """
import time
from podium import machine
print([card.visible for card in machine.take(1) or []], flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("limit", "expected"), [("512000000", 512), ("max", None), ("9223372036854771712", None)])
def test_memory_is_that_of_the_machine_or_of_its_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, expected: int | None
) -> None:
    monkeypatch.setattr(machine, "MEMORY_LIMITS", (tmp_path / "neither", tmp_path / "limit"))
    whole = machine.memory()
    said = re.search(r"MemTotal: +(\d+) kB", Path("/proc/meminfo").read_text())
    assert said
    assert whole == int(said[1]) * 1024 // 10**6
    (tmp_path / "limit").write_text(f"{limit}\n")
    assert machine.memory() == (expected or whole)


@pytest.fixture
def uuids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine with two GPUs, and the libraries to compute on them."""
    found = [f"GPU-{uuid.uuid4()}" for _ in range(2)]
    (tmp_path / "bin").mkdir()
    said = f"echo '{found[0]}, NVIDIA H100 80GB HBM3, 9.0'\necho '{found[1]}, Orin, [N/A]'"
    (tmp_path / "bin/nvidia-smi").write_text(f"#!/bin/sh\n{said}\n")
    (tmp_path / "bin/nvidia-smi").chmod(0o755)
    (tmp_path / "site/nvidia/cudnn").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{SCRIPTS}")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delenv(machine.VISIBLE, raising=False)
    monkeypatch.setattr(machine, "cards", machine.cards.__wrapped__)
    return found


def test_the_driver_lists_the_cards_and_the_environment_chooses_among_them(
    uuids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Card(uuids[0], uuids[0], "NVIDIA H100 80GB HBM3", (9, 0)), Card(uuids[1], uuids[1], "Orin", (0, 0))
    assert machine.cards() == (first, second)
    for visible, expected in [
        ("1", [second._replace(visible="1")]),
        ("1, 0", [second._replace(visible="1"), first._replace(visible="0")]),
        (uuids[1][:12], [second._replace(visible=uuids[1][:12])]),
        ("0,-1,1", [first._replace(visible="0")]),
        ("MIG-7", [Card("MIG-7", "MIG-7", "GPU", (0, 0))]),
        ("-1", []),
        ("", []),
    ]:
        monkeypatch.setenv(machine.VISIBLE, visible)
        assert machine.cards() == tuple(expected)


def test_without_a_driver_or_without_its_libraries_there_is_no_card(
    uuids: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(machine.cards()) == len(uuids)
    (tmp_path / "site/nvidia/cudnn").rmdir()
    monkeypatch.setattr(machine, "find_library", lambda _: None)
    assert machine.cards() == ()
    monkeypatch.setattr(machine, "find_library", lambda name: f"lib{name}.so.9")
    assert len(machine.cards()) == len(uuids)
    for broken in ("exit 9", None):
        path = tmp_path / "bin/nvidia-smi"
        path.write_text(f"#!/bin/sh\n{broken}\n") if broken else path.unlink()
        assert machine.cards() == ()


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ([(9, 0)], "bfloat16"),
        ([(8, 7)], "bfloat16"),
        ([(7, 5)], "float16"),
        ([(7, 0)], "float16"),
        ([(6, 2)], "float16"),
        ([(6, 1)], "float32"),
        ([(6, 0)], "float16"),
        ([(5, 3)], "float32"),
        ([(9, 0), (7, 5)], "float16"),
        ([(9, 0), (0, 0)], "float32"),
    ],
)
def test_the_least_able_gpu_says_the_precision(
    capabilities: list[tuple[int, int]], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tuple(Card(str(number), "", "GPU", each) for number, each in enumerate(capabilities))
    monkeypatch.setattr(machine, "cards", lambda: found)
    assert machine.fastest() == expected


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("avx512f avx512_bf16", "bfloat16"), ("amx_bf16 amx_tile", "bfloat16"), ("avx512f", "float32"), (None, "float32")],
)
def test_without_a_gpu_the_processor_says_it(
    flags: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if flags:
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu {flags} avx2\n")
    monkeypatch.setattr(machine, "CPU", tmp_path / "cpuinfo")
    monkeypatch.setattr(machine, "cards", lambda: ())
    assert machine.fastest() == expected


def test_a_jetson_board_says_by_its_chip_what_its_gpu_can(
    uuids: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "compatible").write_text("nvidia,p2771-0000\0nvidia,tegra186\0")
    monkeypatch.setattr(machine, "BOARD", tmp_path / "compatible")
    assert machine.cards() == (Card("0", "tegra186", "tegra186", (6, 2)),)
    assert machine.fastest() == "float16"
    assert "tegra186" not in uuids


def holder() -> tuple["subprocess.Popen[str]", str]:
    """A process that takes a GPU, and which."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, process.stdout.readline().strip()


def test_each_process_has_its_own_card_until_it_is_killed(uuids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    processes = [holder() for _ in range(3)]
    try:
        assert [said for _, said in processes] == [f"['{uuids[0]}']", f"['{uuids[1]}']", "[]"]
        assert machine.take(1) is machine.take(2) is None
        assert machine.take(0) == []
        processes[0][0].send_signal(signal.SIGKILL)
        processes[0][0].wait()
        assert machine.take(2) is None  # and leaves the one that is free to others
        monkeypatch.setenv(machine.VISIBLE, "1,0")  # the same cards by other names
        taken = machine.take(1)
        assert taken
        assert [card.uuid for card in taken] == uuids[:1]
    finally:
        for process, _ in processes:
            process.kill()
            process.wait()
        while machine._held:
            machine._held.pop().close()


def workflow(folder: Path) -> Path:
    (folder / "compute.py").write_text(STEP)
    (folder / "Snakefile").write_text(RULES)
    return folder


def test_snakemake_s_jobs_each_see_the_gpus_that_they_claim(uuids: list[str], tmp_path: Path) -> None:
    snakemake(workflow(tmp_path), "--cores", "4", "--resources", "gpu=2", "--until", "compute")
    found = {path.stem: path.read_text() for path in tmp_path.glob("*.txt")}
    assert found["none-0"] == "-1"
    assert {found["one-0"], found["one-1"]} == {*uuids}
    assert found["both-0"] == "None"  # all that there are
    assert not any("waiting" in path.read_text() for path in tmp_path.glob("*.log"))


def test_a_job_waits_for_a_gpu_that_another_project_computes_on(
    uuids: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(machine.VISIBLE, "1")
    process, said = holder()
    assert said == "['1']"
    command = [sys.executable, "-m", "snakemake", "both-0.txt", "--cores", "1", "--quiet", "all"]
    job = subprocess.Popen(command, cwd=workflow(tmp_path), stderr=subprocess.PIPE, text=True)
    try:
        assert job.stderr
        assert "[compute both 0] waiting for 1 of 1 GPUs, which other steps use" in job.stderr.readline()
        time.sleep(0.5)
        assert not (tmp_path / "both-0.txt").exists()
    finally:
        process.kill()
        process.wait()
        assert job.wait(timeout=30) == 0
    assert (tmp_path / "both-0.txt").read_text() == "1"
    assert uuids
