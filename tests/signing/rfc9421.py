"""The keys, messages and cases of RFC 9421, appendix B, read from its text."""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from hub.domain.http_signature.message import Answer, Lines, Request, normal_uri
from tests.data import find_data

_BLOCK = re.compile(r"^~~~[^\n]*\n(.*?)^~~~", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Case:
    """A case of B.2: the base of its signature, and the two fields that it adds."""

    base: str
    fields: dict[str, list[str]]


@cache
def _text() -> str:
    return find_data("vectors/rfc9421/appendix-b-keys-and-cases.md").read_text()


def _blocks(heading: str) -> list[str]:
    """Return the blocks under a heading, with lines that RFC 8792 wrapped joined again."""
    section = re.split(r"^#{2,3} ", _text().split(f"# {heading}")[1], maxsplit=1, flags=re.MULTILINE)[0]
    return [re.sub(r"\\\n *", "", re.sub(r"^NOTE: .*\n\n", "", block)) for block in _BLOCK.findall(section)]


def key(heading: str) -> dict[str, Any]:
    """Return a key as JWK, the private one with the public one."""
    (jwk,) = [json.loads(block) for block in _blocks(heading) if block.startswith("{")]
    return jwk


def case(heading: str) -> Case:
    """Return a case."""
    base, fields = _blocks(heading)
    return Case(base.rstrip("\n"), _fields(fields.splitlines()))


def messages() -> tuple[Request, Answer]:
    """Return the request and the answer that all cases are about."""
    asked, answered = (_blocks("Test Cases")[n].split("\n\n", 1)[0].splitlines() for n in (0, 1))
    method, target, _ = asked[0].split(" ")
    fields = _fields(asked[1:])
    request = Request(method, normal_uri(f"https://{fields['host'][0]}{target}"), lines_of(fields))
    return request, Answer(int(answered[0].split(" ")[1]), lines_of(_fields(answered[1:])), request)


def lines_of(fields: dict[str, list[str]]) -> Lines:
    return lambda name: fields.get(name.lower(), [])


def _fields(lines: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        found.setdefault(name.lower(), []).append(value.strip())
    return found
