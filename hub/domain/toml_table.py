"""TOML files that people write, read into frozen models: the file's tables and keys are the model's fields.

* Every key must be there unless the model has a default, and no other: a misspelt one must not silently fall back on a default.
* Each fault is told as "FILE:LINE: what is wrong; what to write instead"; all that can be told at once are.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from hub.errors import ConfigError

_Path = tuple[str | int, ...]
_RULE = "rule"  # type of the faults that a model's own validators find
_KEY = "[key]"  # how pydantic says that it is a key of a mapping which is wrong, not its value


class Table(BaseModel):
    """One table of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


TableT = TypeVar("TableT", bound=Table)


def read_toml(model: type[TableT], text: str, file: str) -> TableT:
    """Return what a file holds.

    Raises:
        ConfigError: the file is wrong; `detail` has one fault a line, by their lines.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        line = at[1] if at else text.count("\n") + 1
        raise ConfigError(f"{file}:{line}: it is not TOML: {error}; write `key = value` lines under [table] headers") from error
    try:
        return model.model_validate(document)
    except ValidationError as error:
        lines = _lines(text)
        faults = sorted({(_line(lines, _place(fault)), _told(fault, model)) for fault in error.errors()})
        raise ConfigError("\n".join(f"{file}:{line}: {message}" for line, message in faults)) from error


def fault(message: str, *at: str | int) -> PydanticCustomError:
    """Return what a validator of a table raises: "what is wrong; what to write instead", about the table or what lies at `at` in it."""
    return PydanticCustomError(_RULE, "{message}", {"message": message, "at": at})


def need_all(wanted: Iterable[str], given: Mapping[Any, Any], *at: str, example: str) -> None:
    """Refuse a table of free keys, at `at`, in which some that are wanted are missing."""
    missing = [str(name) for name in wanted if name not in given]
    if missing:
        raise fault(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing; add {missing[0]} {example}", *at)


def _lines(text: str) -> dict[_Path, int]:
    """Return the line on which each table and key begins, as tomllib does not tell it."""
    lines: dict[_Path, int] = {(): 1}
    table: _Path = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if many := re.match(r"\s*\[\[\s*([\w.-]+)\s*\]\]", line):
            counts[many[1]] = counts.get(many[1], -1) + 1
            table = (*many[1].split("."), counts[many[1]])
            lines.setdefault(table[:-1], number)
        elif one := re.match(r"\s*\[\s*([\w.-]+)\s*\]", line):
            table = tuple(one[1].split("."))
        elif key := re.match(r"\s*([\w.-]+)\s*=", line):
            lines.setdefault((*table, *key[1].split(".")), number)
            continue
        lines.setdefault(table, number)
    return lines


def _line(lines: Mapping[_Path, int], place: _Path) -> int:
    while place not in lines:
        place = place[:-1]
    return lines[place]


def _place(found: ErrorDetails) -> _Path:
    return tuple(part for part in (*found["loc"], *found.get("ctx", {}).get("at", ())) if part != _KEY)


def _told(found: ErrorDetails, model: type[Table]) -> str:
    """Return a fault as "what is wrong; what to write instead"."""
    key = ".".join(str(part) for part in found["loc"] if isinstance(part, str) and part != _KEY)
    kind, message = found["type"], found["msg"]
    if kind == _RULE:
        return message
    if kind == "missing":
        return f"{key} is missing; add a line {key.rpartition('.')[2]} = … to its table"
    if kind == "extra_forbidden":
        return f"there is no {key}; {_nearest(found['loc'], model)}"
    should = message.removeprefix("Input should be ").removesuffix(".")
    return f"{key} is {found['input']!r}; write {should}"


def _nearest(loc: _Path, model: type[Table]) -> str:
    """Return advice on a key that does not exist: the key of its table that is spelt most alike."""
    for part in loc[:-1]:
        field = model.model_fields.get(str(part))
        inner = (field.annotation, *getattr(field.annotation, "__args__", ())) if field else ()
        model = next((one for one in inner if isinstance(one, type) and issubclass(one, Table)), model)
    near = difflib.get_close_matches(str(loc[-1]), list(model.model_fields), n=1)
    return f"write {near[0]}" if near else f"take it out; the keys are {', '.join(model.model_fields)}"
