"""A digest of a step's code that ignores comments, docstrings, layout and file times. No TensorFlow."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).parents[2]


@cache
def fingerprint(script: str, also: tuple[str, ...] = ()) -> str:
    """The digest of `workflow/scripts/{script}.py` and of all modules of `podium` that it imports, also indirectly.

    `also` names the modules that are imported by name only when the step runs.
    """
    waiting, files = [SCRIPTS / f"{script}.py", *(path for name in also for path in _files(name))], set[Path]()
    while waiting:
        file = waiting.pop()
        if file not in files:
            files.add(file)
            waiting += [path for name in _read(file)[1] for path in _files(name)]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(SCRIPTS).as_posix()}\n{_read(file)[0]}\n".encode())
    return digest.hexdigest()[:16]


@cache
def _read(file: Path) -> tuple[str, list[str]]:
    """The syntax tree without docstrings, as text, and the dotted names in it that may be our modules."""
    tree, names = ast.parse(file.read_text(encoding="utf-8")), []
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:]
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from a import b` may mean the module a.b.
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return ast.dump(tree), names


def _files(name: str) -> Iterator[Path]:
    """The files that importing this module runs: its own and its packages'; nothing if it is not ours."""
    parts = name.split(".")
    if parts[0] != "podium":
        return
    for depth in range(1, len(parts) + 1):
        path = SCRIPTS.joinpath(*parts[:depth])
        yield from (each for each in (path / "__init__.py", path.with_suffix(".py")) if each.is_file())
