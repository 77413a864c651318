"""The only link between a rule and its function: arguments, log, limits, errors and atomic outputs.

No TensorFlow. Among the modules that steps use, only this one deals with Snakemake; without Snakemake, command-line
flags are made from the function's signature.
"""

import argparse
import atexit
import hashlib
import inspect
import logging
import os
import re
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import yaml

from podium import digests, machine

Output = Annotated[Path, "output"]
Growing = Annotated[Path, "output", "growing"]  # an output that starts with its previous content, to add to
Resume = Annotated[Path, "resume"]  # a folder, given by `run`, from which a killed step can resume
log = logging.getLogger("podium")
# Control characters, and the other two characters that end a line, each as its Python escape sequence.
CONTROL = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
SECONDS_BETWEEN_TRIES = 1.0
SECONDS_TO_SIFT = 2.0
# What TensorFlow's native code says of itself as it starts: notes, warnings, and that there is no driver of NVIDIA's.
CHATTER = r"^(WARNING: All log messages before absl|[IW][0-9]{4} [0-9:.]+ +[0-9]+ |E[0-9]{4} .*call to cuInit.*303)"


class BadInput(Exception):
    """The user's input is wrong; the message is one line that names the file, row or key."""


def escaped(text: str) -> str:
    """The text on one line, without terminal control codes: `\\n` for a line break, `\\x1b` for ESC."""
    return text.translate(CONTROL)


def run(function: Callable[..., None]) -> None:
    """Run the step with the arguments of its rule, or of the command line."""
    job = getattr(sys.modules["__main__"], "snakemake", None)
    arguments = _from_rule(function, job) if job else vars(_parser(function).parse_args())
    _open_log(function.__name__, job)
    _limit_libraries(job.threads if job else arguments.get("threads"), job.resources.get("gpu_memory") if job else None)
    if job:
        _take_gpus(job.resources.get("gpu", 0))
    else:
        without_chatter()
    started = time.perf_counter()
    log.info("started")
    partial = {name: _beside(path) for name, path in arguments.items() if name in _marked(function, "output")}
    kept = {name: _resume_folder(function, arguments) for name in _marked(function, "resume")}
    try:
        _check_inputs(arguments, partial)
        for name in _marked(function, "growing"):
            if arguments[name].exists():
                shutil.copyfile(arguments[name], partial[name])
        function(**{**arguments, **partial, **kept})
        _put_all({path: arguments[name] for name, path in partial.items()}, job)
        for folder in kept.values():
            shutil.rmtree(folder, ignore_errors=True)
    except BadInput as error:
        log.error("error: %s", error)
        sys.exit(1)
    except Exception as error:
        log.debug(traceback.format_exc())
        where = f"; the log has the details: {job.log[0]}" if job else ""
        log.error("failed: %s: %s%s", type(error).__name__, error, where)
        if not job:
            raise
        sys.exit(1)
    finally:
        for path in partial.values():
            _remove(path)
    log.info("done in %.1f s, peak memory %.0f MB", time.perf_counter() - started, _peak_memory() / 1e6)


def without_chatter() -> None:
    """Keeps what TensorFlow says as it starts off the terminal, unless TF_CPP_MIN_LOG_LEVEL asks for it.

    That variable alone does not: most of it is said before it is read. Another process sifts the standard error, so
    that an error's last words get through even where this one crashes.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") < "2":
        return
    command = ["grep", "--text", "--line-buffered", "--invert-match", "--extended-regexp", CHATTER]
    terminal = os.dup(2)
    # In a session of its own, so that Ctrl-C ends it only after this process.
    sieve = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=terminal, start_new_session=True)
    assert sieve.stdin
    os.dup2(sieve.stdin.fileno(), 2)

    def end() -> None:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)
        with suppress(subprocess.TimeoutExpired):  # a process of ours that goes on still has it open
            sieve.communicate(timeout=SECONDS_TO_SIFT)

    atexit.register(end)


def _peak_memory() -> float:
    """The process's peak memory in bytes; `ru_maxrss` would include its parent's before the exec."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def _from_rule(function: Callable[..., None], job: Any) -> dict[str, Any]:
    """The rule's named files and its settings, each of the type in the signature."""
    hints = get_type_hints(function)
    given = {**dict(job.input.items()), **dict(job.output.items()), **job.params.get("settings", {})}
    if "threads" in hints:
        given["threads"] = job.threads
    wanted = set(inspect.signature(function).parameters) - _marked(function, "resume")
    if wanted != set(given):
        raise TypeError(f"rule {job.rule} gives {sorted(given)}, {function.__name__} takes {sorted(wanted)}")
    return {name: _as_path(value, hints[name]) for name, value in given.items()}


def _as_path(value: Any, hint: Any) -> Any:
    if hint is Path:
        return Path(value)
    if get_origin(hint) is list and get_args(hint) == (Path,):
        return [Path(value)] if isinstance(value, str) else [Path(each) for each in value]
    return value


def _check_inputs(arguments: dict[str, Any], outputs: Iterable[str]) -> None:
    for name, value in arguments.items():
        for path in value if isinstance(value, list) else [value]:
            if name not in outputs and isinstance(path, Path) and not path.exists():
                raise BadInput(f"{path}: no such file (--{name.replace('_', '-')})")


def _marked(function: Callable[..., None], mark: str) -> set[str]:
    """The parameters that are annotated with this mark: `output`, `growing` or `resume`."""
    hints = get_type_hints(function, include_extras=True)
    return {name for name, hint in hints.items() if mark in getattr(hint, "__metadata__", ())}


def _beside(path: Path) -> Path:
    """Where an output is written until it is complete; it keeps the suffix, on which some writers depend."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(partial := path.with_name(f".partial-{path.name}"))  # what a killed step left
    return partial


def _put_all(outputs: dict[Path, Path], job: Any) -> None:
    """Moves outputs to their place, and writes the digest files that the rule declares, or, by hand, those there are.

    The old digests go first and the new ones come last: at no time does one belong to another content.
    """
    beside = {partial: path.with_name(f"{path.name}{digests.SUFFIX}") for partial, path in outputs.items()}
    wanted = {partial: file for partial, file in beside.items() if (str(file) in job.output if job else file.exists())}
    written = {file: digests.digest(partial) for partial, file in wanted.items()}
    for file in written:
        file.unlink(missing_ok=True)
    for partial, path in outputs.items():
        _put(partial, path)
    for file, content in written.items():
        (partial := _beside(file)).write_text(f"{content}\n", encoding="ascii")
        partial.replace(file)


def _put(partial: Path, path: Path) -> None:
    """Moves an output to its place at once; a folder cannot replace another, so the old one is moved away first."""
    if partial.is_dir() and path.is_dir():
        _remove(old := path.with_name(f".old-{path.name}"))
        path.replace(old)
        partial.replace(path)
        _remove(old)
    else:
        partial.replace(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _resume_folder(function: Callable[..., None], arguments: dict[str, Any]) -> Path:
    """A folder next to the outputs for exactly these settings, input files and code; those of others are removed."""
    outputs = sorted(_marked(function, "output"))
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(file.read_bytes())
    for name in sorted(set(arguments) - set(outputs)):
        for value in arguments[name] if isinstance(arguments[name], list) else [arguments[name]]:
            state = value.stat() if isinstance(value, Path) and value.exists() else None
            digest.update(f"{name} {value} {(state.st_size, state.st_mtime_ns) if state else ''}\n".encode())
    folder = arguments[outputs[0]].parent / f".{function.__name__}-{digest.hexdigest()[:16]}"
    for other in folder.parent.glob(f".{function.__name__}-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    return folder


def _parser(function: Callable[..., None]) -> argparse.ArgumentParser:
    """Flags with the names and types of the function's parameters."""
    parser = argparse.ArgumentParser(
        description=inspect.getdoc(function), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    hints = get_type_hints(function)
    for name, parameter in inspect.signature(function).parameters.items():
        if name in _marked(function, "resume"):
            continue
        hint, required = hints[name], True
        if isinstance(hint, UnionType):  # X | None
            hint, required = get_args(hint)[0], False
        flag = f"--{name.replace('_', '-')}"
        kind = (
            "setting"
            if parameter.kind is parameter.KEYWORD_ONLY
            else "output file"
            if name in _marked(function, "output")
            else "input file"
        )
        if get_origin(hint) is list:
            parser.add_argument(flag, nargs="*", type=get_args(hint)[0], required=required, help=f"{kind}s")
        elif hint is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, required=required, help=kind)
        elif get_origin(hint) is dict:
            parser.add_argument(flag, type=_yaml, required=required, metavar="YAML", help=f"{kind}, such as '{{a: 1}}'")
        else:
            parser.add_argument(flag, type=hint, required=required, help=kind)
    return parser


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise argparse.ArgumentTypeError(f"not YAML: {' '.join(str(error).split())}") from None


def _open_log(name: str, job: Any) -> None:
    """Our own lines go to the terminal and to the log; what libraries print goes to the log only."""
    label = name
    terminal = os.dup(2)
    if job:
        label = " ".join([name, *(str(value) for value in job.wildcards)])
        Path(job.log[0]).parent.mkdir(parents=True, exist_ok=True)
        file = os.open(job.log[0], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        os.dup2(file, 1)
        os.dup2(file, 2)
        logging.getLogger().addHandler(_handler(2, logging.DEBUG, "%(asctime)s %(message)s"))
    log.addHandler(_handler(terminal, logging.INFO, f"[{label}] %(message)s"))
    log.propagate = bool(job)  # by hand the only other log is one that TensorFlow may open on the terminal
    logging.captureWarnings(True)
    log.setLevel(logging.DEBUG)


def _handler(descriptor: int, level: int, layout: str) -> logging.Handler:
    handler = logging.StreamHandler(os.fdopen(descriptor, "w", buffering=1, closefd=False))
    handler.setLevel(level)
    handler.setFormatter(_OneLine(layout))
    return handler


class _OneLine(logging.Formatter):
    """Our own messages are one line, whatever file names contain; tracebacks keep their lines."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return escaped(line) if record.name == log.name and record.levelno > logging.DEBUG else line


def _limit_libraries(threads: int | None, gpu_memory: int | None) -> None:
    """Sets the variables that TensorFlow and `podium.device` read on import, which steps do inside their function."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if threads:
        os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(threads)
    if gpu_memory:
        os.environ["PODIUM_GPU_MEMORY"] = str(gpu_memory)


def _take_gpus(count: int) -> None:
    """Reserves as many free GPUs as the rule claims, and hides the others from TensorFlow, which is imported later."""
    found = machine.cards()
    if not found:  # none, or a board whose one GPU is not listed
        return
    count = min(count, len(found))
    if (taken := machine.take(count)) is None:
        log.info("waiting for %d of %d GPUs, which other steps use", count, len(found))
        while (taken := machine.take(count)) is None:
            time.sleep(SECONDS_BETWEEN_TRIES)
    if len(taken) < len(found):
        os.environ[machine.VISIBLE] = ",".join(card.visible for card in taken) or "-1"
