"""Structured fields (RFC 9651), read as strictly as signatures need it.

The standard lets the last of two equal keys win. Here such a field is refused: who signed it, and who reads it, must not be able to
see two different things.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

import http_sf

from hub.errors import NotUnderstood

BYTES_MAX = 8_192  # of all lines of one field together

Item: TypeAlias = tuple[Any, Mapping[str, Any]]  # a value and its parameters
Member: TypeAlias = tuple[Any, Mapping[str, Any]]  # an item, or a list of items with the parameters of the list


def read_dictionary(name: str, lines: Sequence[str]) -> dict[str, Member]:
    """Return the members of a dictionary field (RFC 9651 §4.2.2), in their order; empty where the message has no such field.

    Args:
        name: what messages about it call it.
        lines: the value of each line of the field.
    Raises:
        NotUnderstood: it is no dictionary, names a key twice, or is longer than BYTES_MAX.
    """
    if not lines:
        return {}
    text = ", ".join(lines)
    if len(text) > BYTES_MAX:
        raise NotUnderstood(f"{name}: more than {BYTES_MAX} bytes")
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError as e:
        raise NotUnderstood(f"{name}: a structured field is written in ASCII") from e

    def refuse(key: str, _: str) -> NoReturn:
        raise NotUnderstood(f"{name}: the key {key} stands there twice")

    try:
        return http_sf.parse(raw, tltype="dictionary", on_duplicate_key=refuse)  # type: ignore[return-value]
    except ValueError as e:
        raise NotUnderstood(f"{name}: this is no structured field of the type dictionary (RFC 9651)") from e


def write_dictionary(members: Mapping[str, Any]) -> str:
    """Return a dictionary field's value."""
    return http_sf.ser(dict(members))


def write_item(value: object, parameters: Mapping[str, Any]) -> str:
    """Return one item, with its parameters, as it stands in a field."""
    return http_sf.ser((value, dict(parameters)))  # type: ignore[arg-type]


def write_parameters(parameters: Mapping[str, Any]) -> str:
    """Return parameters as they follow an item or a list."""
    return write_item(1, parameters).removeprefix("1")


def write_member(member: Any) -> str:
    """Return the value of one member of a dictionary: an item, or a list with its parameters."""
    return http_sf.ser([member])
