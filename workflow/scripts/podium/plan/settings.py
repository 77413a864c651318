"""Reads YAML settings, merges them, and checks them against the schemas. No TensorFlow."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, cast

import jsonschema
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from podium.archives.layouts import LAYOUTS
from podium.networks import NETWORKS
from podium.tasks import TASKS

Settings = dict[str, Any]
COMMAND_LINE = "--config"  # the source of a setting that is in no file
SCHEMAS = Path(__file__).parents[3] / "schemas"


class ConfigError(SystemExit):
    """Something in the config is wrong; the message is one line that names the file and the key.

    It ends the process, since Snakemake would wrap any other error of a rule's function in a traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"podium: {message}")


class _Loader(yaml.SafeLoader):
    """YAML as specified: a key that occurs twice in a mapping is an error, whereas PyYAML takes the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set[str]()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' occurs twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read(path: Path) -> Any:
    """The content of a YAML file; raises ConfigError, naming the place, if it is not UTF-8 or not YAML."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None


def merge(below: Settings, above: Settings) -> Settings:
    """`above` merged over `below`: mappings are merged, anything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = merge(below[key], value) if both else value
    return merged


def in_order(settings: Any) -> Any:
    """The same with the keys of each mapping in alphabetical order.

    Snakemake compares params with their order, and moves keys that the command line gives to the front.
    """
    if not isinstance(settings, dict):
        return settings
    return {key: in_order(settings[key]) for key in sorted(settings, key=str)}


def typed(value: Any) -> Any:
    """Texts in a mapping or a list, parsed as YAML: Snakemake turns `--config a={b: 1}` into `{"b": "1"}`."""
    if isinstance(value, dict):
        return {key: typed(each) for key, each in value.items()}
    if isinstance(value, list):
        return [typed(each) for each in value]
    return yaml.safe_load(value) if isinstance(value, str) else value


def leaves(settings: Settings) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The path of keys to each value that is not a mapping, and the value."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from (((key, *below), each) for below, each in leaves(value))
        else:
            yield (key,), value


def holds(settings: Any, *keys: Any) -> bool:
    """Whether the settings contain this path of keys."""
    for key in keys:
        if isinstance(settings, list):
            return True
        if not isinstance(settings, dict) or key not in settings:
            return False
        settings = settings[key]
    return True


def check(settings: Any, schema: str, where: str | Callable[..., str]) -> None:
    """Raises ConfigError for the first unknown key, wrong type or value out of range.

    `where` is the file's name, or a function that returns it for the keys that lead to the mistake.
    """
    errors = sorted(
        _validator(schema).iter_errors(settings), key=lambda error: (len(error.absolute_path), error.json_path)
    )
    if errors:
        where = where if isinstance(where, str) else where(*_keys(errors[0]))
        raise ConfigError(f"{where}: {_said(errors[0], where)}")


def defaults(schema: str) -> Settings:
    """The schema's defaults of the keys that may be left out."""
    return {key: rules["default"] for key, rules in _schemas()[schema]["properties"].items() if "default" in rules}


def check_complete(settings: Settings, schema: str, where: str) -> None:
    """Raises ConfigError unless every key of the schema is set."""

    def missing(part: Settings, known: Settings, path: str) -> Iterable[str]:
        for key, rules in known.get("properties", {}).items():
            if key not in part:
                yield f"{path}{key}"
            elif isinstance(part[key], dict):
                yield from missing(part[key], rules, f"{path}{key}.")

    for key in missing(settings, dict(_schemas()[schema]), ""):
        raise ConfigError(f"{where}: {key} is missing")


def instead(wrong: str, known: Iterable[str]) -> str:
    """A suggestion what to write instead, for the end of a message."""
    known = sorted(known)
    close = difflib.get_close_matches(wrong, known, 1)
    return f" (did you mean '{close[0]}'?)" if close else f" (there are: {', '.join(known)})"


@cache
def _schemas() -> dict[str, Settings]:
    """The schemas by their names, with the choices that the menus offer."""
    found = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in SCHEMAS.glob("*.yaml")}
    found["experiment"]["properties"]["train"]["properties"]["network"]["enum"] = list(NETWORKS)
    found["competition"]["properties"]["task"]["enum"] = list(TASKS)
    found["competition"]["oneOf"] = [{"required": [name]} for name in LAYOUTS]
    return found


@cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    resources = [(name, DRAFT202012.create_resource(each)) for name, each in _schemas().items()]
    registry: Registry[Any] = Registry().with_resources(resources)
    # YAML parses an unquoted day as a date.
    types = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("date", lambda _, value: isinstance(value, date))
    extend: Any = jsonschema.validators.extend
    return extend(jsonschema.Draft202012Validator, type_checker=types)(_schemas()[schema], registry=registry)


def _keys(error: jsonschema.ValidationError) -> list[Any]:
    """The keys that lead to the mistake, including an unknown key itself."""
    return [*error.absolute_path, *([_unknown(error)] if error.validator == "additionalProperties" else [])]


def _unknown(error: jsonschema.ValidationError) -> str:
    known = cast(Settings, error.schema).get("properties", {})
    return next(str(key) for key in cast(Settings, error.instance) if key not in known)


def _said(error: jsonschema.ValidationError, where: str) -> str:
    """One validation error in one line."""
    path = ".".join(str(step) for step in error.absolute_path)
    here = f"{path}: " if path else ""
    rule, wanted, given = error.validator, cast(Any, error.validator_value), cast(Any, error.instance)
    if rule == "additionalProperties":
        return f"{here}{_unknown_key(_unknown(error), given, cast(Settings, error.schema))}"
    if rule == "required":
        return f"{here}{next(key for key in wanted if key not in given)} is missing"
    if rule == "not":
        return f"{here}{given!r} is not allowed"
    if rule == "oneOf":
        return f"{here}give either {' or '.join(each['required'][0] for each in wanted)}"
    if rule == "type":
        return f"{here}{_wrong_type(given, wanted, path, where)}"
    return f"{here}{error.message}"


def _unknown_key(unknown: str, given: Settings, schema: Settings) -> str:
    known = schema.get("properties", {})
    if unknown.partition(".")[0] in known:
        return f"unknown key '{unknown}'; write {_nested(unknown, given[unknown])}"
    return f"unknown key '{unknown}'{instead(unknown, known)}"


def _nested(key: str, value: Any) -> str:
    """`a.b.c` in YAML: `a: {b: {c: 1}}`."""
    first, *rest = key.split(".")
    inner = "".join(f"{{{each}: " for each in rest)
    return f"{first}: {inner}{value}{'}' * len(rest)}"


def _wrong_type(given: Any, wanted: Any, path: str, where: str) -> str:
    if wanted == "array" and not isinstance(given, dict):
        write = f"{path}=[{given}]" if where == COMMAND_LINE else f"{path.rpartition('.')[2]}: [{given}]"
        return f"{given!r} is not a list; write {write}"
    is_text_number = isinstance(given, str) and wanted in {"number", "integer"}
    hint = " (YAML parses 1e-3 as text: write 1.0e-3)" if is_text_number else ""
    kinds = wanted if isinstance(wanted, str) else " or ".join(wanted)
    return f"{given!r} is not of type {kinds}{hint}"
