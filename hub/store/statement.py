"""Statements: SQLAlchemy Core constructs, made once at module level and compiled once per dialect."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, Boolean, LargeBinary, Text, bindparam, literal_column
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement, ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_SQLITE = "sqlite"
_LOWER_HALF = 2**32 - 1
DIALECTS = {_SQLITE: sqlite.dialect(paramstyle="qmark"), "postgresql": asyncpg_dialect.dialect()}  # type: ignore[no-untyped-call]


class Statement:
    """A statement compiled once for each dialect: its text, and its parameters in order."""

    def __init__(self, clause: ClauseElement) -> None:
        self._clause = clause
        self._compiled: dict[str, _Compiled] = {}

    def bound(self, dialect: str, given: dict[str, Any]) -> tuple[str, list[Any]]:
        """Return the text and the values for one execution."""
        compiled = self._compiled.get(dialect)
        if compiled is None:
            compiled = self._compiled[dialect] = self._compile(dialect)
        if compiled.constants:
            given = compiled.constants | given
        values = [given[name] for name in compiled.names]
        for place in compiled.lists:
            values[place] = orjson.dumps(values[place]).decode()
        return compiled.text, values

    def _compile(self, dialect: str) -> "_Compiled":
        compiled = self._clause.compile(dialect=DIALECTS[dialect], compile_kwargs={"render_postcompile": True})
        assert isinstance(compiled, SQLCompiler), "a statement, not a definition"
        names = tuple(compiled.positiontup or ())
        constants = {name: value for name, value in compiled.params.items() if value is not None or name.startswith("param_")}
        # On SQLite a list travels as JSON text, see `among`.
        is_list = {name: dialect == _SQLITE and isinstance(compiled.binds[name].type, ARRAY) for name in names}
        lists = tuple(place for place, name in enumerate(names) if is_list[name])
        return _Compiled(str(compiled), names, constants, lists)


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    names: tuple[str, ...]
    constants: dict[str, Any]  # parameters that have a value of their own
    lists: tuple[int, ...]  # places whose values travel as JSON text


def prepare(clause: ClauseElement) -> Statement:
    """Wrap a Core statement for repeated execution. Values come by the names of its `bindparam`s."""
    return Statement(clause)


def unsought(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A number to compare, not to seek by: where another column finds a few rows, no plan shall find all rows of this value."""
    return column + literal_column("0")


class among(ColumnElement[bool]):  # noqa: N801 - reads as an operator
    """`column` is one of the values in the list parameter `name`: one statement for lists of any length."""

    inherit_cache = False
    type = Boolean()
    _is_implicitly_boolean = True

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.bind = bindparam(name, type_=ARRAY(Text() if isinstance(column.type, Text) else BigInteger()))


@compiles(among, _SQLITE)
def _among_sqlite(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{compiler.process(element.column, **kw)} IN (SELECT value FROM json_each({compiler.process(element.bind, **kw)}))"


@compiles(among, "postgresql")
def _among_postgresql(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{compiler.process(element.column, **kw)} = ANY ({compiler.process(element.bind, **kw)})"


class marked(ColumnElement[bool]):  # noqa: N801 - reads as an operator
    """The number in the lower half of `column` is one of those of the list parameter `name`.

    On SQLite, which makes an index of a list for each execution, that is a byte of 1 in the parameter `name_mask` (see `mask_of`).
    """

    inherit_cache = False
    type = Boolean()
    _is_implicitly_boolean = True

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.list = bindparam(name, type_=ARRAY(BigInteger()))
        self.mask = bindparam(f"{name}_mask", type_=LargeBinary())


@lru_cache(maxsize=4_096)
def mask_of(rows: tuple[int, ...]) -> bytes:
    """Return a byte for each number up to the largest in the lower halves of `rows`: 1 where it is among them."""
    numbers = [row & _LOWER_HALF for row in rows]
    mask = bytearray(max(numbers, default=0) + 1)
    for number in numbers:
        mask[number] = 1
    return bytes(mask)


@compiles(marked, _SQLITE)
def _marked_sqlite(element: marked, compiler: SQLCompiler, **kw: Any) -> str:
    column, mask = compiler.process(element.column, **kw), compiler.process(element.mask, **kw)
    return f"substr({mask}, ({column} & {_LOWER_HALF}) + 1, 1) = x'01'"


@compiles(marked, "postgresql")
def _marked_postgresql(element: marked, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{compiler.process(element.column, **kw)} = ANY ({compiler.process(element.list, **kw)})"


class values_of(FunctionElement[Any]):  # noqa: N801 - reads as a function
    """The values of the list parameter `name` as rows of one column, `value`."""

    inherit_cache = False
    name = "values_of"

    def __init__(self, name: str, item: type[Text] | type[BigInteger]) -> None:
        self.bind = bindparam(name, type_=ARRAY(item()))
        super().__init__()


@compiles(values_of, _SQLITE)
def _values_of_sqlite(element: values_of, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_each({compiler.process(element.bind, **kw)})"


@compiles(values_of, "postgresql")
def _values_of_postgresql(element: values_of, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(SELECT unnest({compiler.process(element.bind, **kw)}) AS value)"
