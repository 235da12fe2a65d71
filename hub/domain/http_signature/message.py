"""Messages, and what of them can be signed: their components (RFC 9421 §2).

* A component is a header field, or something derived from the message, whose name begins with `@`.
* Of the parameters that components can have, `req` (of the request that an answer is for) and `key` (one member of a dictionary field)
  are understood. A component with another one, or of another kind, is refused: nobody may believe that it was compared.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from hub.domain.http_signature.fields import Item, read_dictionary, write_item, write_member
from hub.errors import NotUnderstood

Lines: TypeAlias = Callable[
    [str], Sequence[str]
]  # the value of each line of the field with that name, in order; none where it is not there

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_ABSOLUTE = re.compile(r"([^:/?#]+)://([^/?#]*)([^#]*)")


@dataclass(frozen=True, slots=True)
class Request:
    """A request, as far as signatures look at it."""

    method: str
    target_uri: str  # absolute, as `normal_uri` gives it
    lines: Lines


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and the request that it is for."""

    status: int
    lines: Lines
    request: Request


Message: TypeAlias = Request | Answer


@dataclass(frozen=True, slots=True)
class Component:
    """The identifier of a component."""

    name: str
    parameters: tuple[tuple[str, bool | str], ...] = ()  # in the order in which they are written, which counts for nothing else

    @classmethod
    def of(cls, item: Item) -> "Component":
        """Return the component that an item of a list of covered components names.

        Raises:
            NotUnderstood: it is none that the hub can look at.
        """
        name, parameters = item
        if type(name) is not str or name != name.lower() or not name:
            raise NotUnderstood("Signature-Input: a component is named by a string in lower case")
        known = {"req": bool, "key": str}
        if not all(type(value) is known.get(parameter) and value for parameter, value in parameters.items()):
            raise NotUnderstood(f"Signature-Input: the hub cannot look at {write_item(name, parameters)}; it knows req and key")
        return cls(name, tuple(parameters.items()))

    @property
    def identity(self) -> tuple[str, frozenset[tuple[str, bool | str]]]:
        """What tells it from others (§2): the order of parameters does not."""
        return self.name, frozenset(self.parameters)

    @property
    def item(self) -> Item:
        """The item of a structured field that names it."""
        return self.name, dict(self.parameters)

    def __str__(self) -> str:
        return _written(self)

    def value_in(self, message: Message) -> str:
        """Return the component's value in a message (§2.1, §2.2).

        Raises:
            NotUnderstood: the message has none, or one that cannot be signed.
        """
        parameters = dict(self.parameters)
        if parameters.get("req"):
            if isinstance(message, Request):
                raise NotUnderstood(f"Signature-Input: {self}: only the signature of an answer can look at its request")
            message = message.request
        if self.name.startswith("@"):
            value = _derived(message, self.name) if "key" not in parameters else None
        elif "key" in parameters:
            value = _member(message.lines(self.name), self.name, str(parameters["key"]))
        else:
            lines = message.lines(self.name)
            value = ", ".join(line.strip() for line in lines) if lines else None
        if value is None:
            raise NotUnderstood(f"Signature-Input: {self} is not in the message")
        if not value.isascii() or not value.replace("\t", " ").isprintable():
            raise NotUnderstood(f"Signature-Input: {self}: its value cannot be signed, as it is not printable ASCII")
        return value


@lru_cache(maxsize=256)
def _written(component: Component) -> str:
    return write_item(component.name, dict(component.parameters))


def of_request(name: str, key: str | None = None) -> Component:
    """Return a component of the request that an answer is for."""
    return Component(name, (("req", True),) if key is None else (("req", True), ("key", key)))


def normal_uri(uri: str) -> str:
    """Return an absolute URI in the form in which both ends of a connection write it.

    Scheme and authority are in lower case, the scheme's own port is left out, and an empty path is `/` (RFC 9110 §4.2.3); path and query
    stay as they are, however they are escaped.
    """
    found = _ABSOLUTE.match(uri)
    assert found is not None, "both ends put it together from its parts"
    scheme, authority, rest = found.groups()
    authority = authority.rpartition("@")[2].lower().removesuffix(_DEFAULT_PORTS.get(scheme.lower(), ""))
    return f"{scheme.lower()}://{authority}{rest if rest.startswith('/') else '/' + rest}"


def _derived(message: Message, name: str) -> str | None:
    if isinstance(message, Answer):
        return str(message.status) if name == "@status" else None
    if name == "@method":
        return message.method
    if name == "@target-uri":
        return message.target_uri
    find = _OF_TARGET.get(name)
    return find(message.target_uri) if find is not None else None


def _path(uri: str) -> str:
    return "/" + uri.partition("://")[2].partition("/")[2]


_OF_TARGET: Mapping[str, Callable[[str], str]] = {
    "@scheme": lambda uri: uri.partition("://")[0],
    "@authority": lambda uri: uri.partition("://")[2].partition("/")[0],
    "@request-target": _path,
    "@path": lambda uri: _path(uri).partition("?")[0],
    "@query": lambda uri: "?" + uri.partition("?")[2],
}


def _member(lines: Sequence[str], name: str, key: str) -> str | None:
    member = read_dictionary(name, lines).get(key)
    return write_member(member) if member is not None else None
