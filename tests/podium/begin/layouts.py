"""Small archives in the layouts of contests, made of one small photo, and what is right for each."""

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from typing import Any

from conftest import photo, table

Members = dict[str, bytes]
Settings = dict[str, Any]
CONTESTS: dict[str, tuple[Callable[[], Members], Settings]] = {}


def contest(**right: Any) -> Callable[[Callable[[], Members]], Callable[[], Members]]:
    """Lists a function of this module as a contest whose file is to say this."""

    def listed(build: Callable[[], Members]) -> Callable[[], Members]:
        CONTESTS[build.__name__] = (build, right)
        return build

    return listed


def photos(names: Iterable[str]) -> Members:
    return dict.fromkeys(names, photo("chelsea", 0, 8))


def zipped(members: Members) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return out.getvalue()


def tarred(members: Members) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return out.getvalue()


def sevenzipped(members: Members) -> bytes:
    import py7zr

    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as file:
        for name, content in members.items():
            file.writestr(content, name)
    return out.getvalue()


def rows(header: str, *columns: Iterable[object], mark: str = ",") -> bytes:
    """A table of these columns."""
    cells = zip(*(map(str, column) for column in columns), strict=True)
    return table(header.split(","), [list(row) for row in cells], mark)


def cycled(values: Iterable[object], count: int) -> list[object]:
    each = list(values)
    return [each[number % len(each)] for number in range(count)]


def image(path: str, template: str, id: str, **more: object) -> Settings:
    return {"path": path, "image": template, "id": id, **more}
