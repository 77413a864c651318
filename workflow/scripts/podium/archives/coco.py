"""JSON as a table: a list of objects, or COCO's form, as at https://cocodataset.org/#format-data. No TensorFlow."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from podium.step import BadInput

SHAPE = "segmentation"  # of an annotation: polygons, or run lengths with their size
SHOWN = 8  # keys in a message
Objects = list[dict[str, Any]]


def json_table(name: str, data: bytes) -> tuple[list[str], list[list[str]], list[int]]:
    """The header, the rows of cells, and each row's place in its list, counted from 1.

    In COCO's form, rows are the `images`. Where there are `annotations`, each is joined to its image: an image with
    several has several rows, and one without any has empty cells. An annotation's `category` is the name of its
    `category_id`; `annotation_` stands before the names of columns that images have too. Images and categories without
    an `id` go by their `image_id` and `category_id`. A column with a list or an object in it is left out, but for the
    `segmentation` of annotations, whose cells are JSON; true is 1, false is 0, null is an empty cell. Raises BadInput,
    naming the key, for anything else.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{name}: not JSON ({error})") from None
    if isinstance(content, dict) and "images" in content:
        header, rows, lines = _coco(name, content)
    elif isinstance(content, list):
        header, rows = _table(_objects(name, "", content))
        lines = list(range(1, len(rows) + 1))
    else:
        there = f"'{', '.join(list(content)[:SHOWN])}'" if isinstance(content, dict) else type(content).__name__
        raise BadInput(
            f"{name}: neither a list of objects nor COCO's form, which has the key 'images' (it has {there})"
        )
    if not rows:
        raise BadInput(f"{name}: contains no rows")
    if len(set(header)) != len(header):
        raise BadInput(f"{name}: the header contains a column name twice: {', '.join(header)}")
    return header, rows, lines


def _coco(name: str, content: dict[str, Any]) -> tuple[list[str], list[list[str]], list[int]]:
    images, annotations = (_objects(name, key, content.get(key, [])) for key in ("images", "annotations"))
    header, rows = _table(images)
    places = _places(name, "images", images, "image_id")
    if not annotations:
        return header, rows, list(range(1, len(rows) + 1))
    _name_categories(name, content, annotations)
    for each in annotations:
        if shape := each.get(SHAPE):
            each[SHAPE] = json.dumps(shape, separators=(",", ":"))
    columns, cells = _table(annotations, but="image_id")
    own = defaultdict[int, list[int]](list)
    for number, annotation in enumerate(annotations):
        own[_place(f"{name}: annotations[{number}]", annotation, "image_id", "image", places)].append(number)
    none, joined, lines = [""] * len(columns), list[list[str]](), list[int]()
    for number, row in enumerate(rows):
        joined += [row + cells[each] for each in own[number]] if number in own else [row + none]
        lines += [number + 1] * (len(joined) - len(lines))
    return [*header, *(f"annotation_{each}" if each in header else each for each in columns)], joined, lines


def _name_categories(name: str, content: dict[str, Any], annotations: Objects) -> None:
    """Gives each annotation that has a `category_id` its `category`."""
    categories = _objects(name, "categories", content.get("categories", []))
    if not categories:
        return
    places = _places(name, "categories", categories, "category_id")
    for number, annotation in enumerate(annotations):
        if "category_id" in annotation:
            place = _place(f"{name}: annotations[{number}]", annotation, "category_id", "category", places)
            annotation["category"] = categories[place].get("name")


def _objects(name: str, key: str, found: Any) -> Objects:
    """The list under this key, or the whole file; raises BadInput unless it is one of objects."""
    if not isinstance(found, list):
        raise BadInput(f"{name}: {key} is not a list")
    for number, each in enumerate(found):
        if not isinstance(each, dict):
            raise BadInput(f"{name}: {key}[{number}] is not an object")
    return found


def _places(name: str, key: str, objects: Objects, other: str) -> dict[str, int]:
    """The place of each object by its `id`, or, if no object has one, by its `other` key."""
    own_key = other if objects and other in objects[0] and not any("id" in each for each in objects) else "id"
    places = dict[str, int]()
    for number, each in enumerate(objects):
        if (own := _cell(each.get(own_key))) in ("", None):
            raise BadInput(f"{name}: {key}[{number}].{own_key} is missing")
        if places.setdefault(own, number) != number:
            raise BadInput(f"{name}: {key}[{number}].{own_key}: '{own}' is that of {key}[{places[own]}] too")
    return places


def _place(where: str, annotation: dict[str, Any], key: str, kind: str, places: dict[str, int]) -> int:
    wanted = _cell(annotation.get(key))
    if wanted not in places:
        said = f"no {kind} has the id '{wanted}'" if wanted else "is missing"
        raise BadInput(f"{where}.{key}{':' if wanted else ''} {said}")
    return places[wanted]


def _table(objects: Objects, but: str = "") -> tuple[list[str], list[list[str]]]:
    """The columns of plain values, in the order in which they first come, and each object's cells."""
    keys = dict.fromkeys(key for each in objects for key in each)
    columns = {key: _column(each.get(key) for each in objects) for key in keys if key != but}
    plain = {key: cells for key, cells in columns.items() if cells is not None}
    rows = [list(row) for row in zip(*plain.values(), strict=True)] if plain else [[] for _ in objects]
    return list(plain), rows


def _column(values: Iterable[Any]) -> list[str] | None:
    """The cells of a column; None if one is no plain value."""
    cells = []
    for value in values:
        if (cell := _cell(value)) is None:
            return None
        cells.append(cell)
    return cells


def _cell(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, int | float) else None
