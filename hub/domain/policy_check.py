"""Reads policy files and refuses those that are wrong, before anything is decided by them.

* A bundle is `schema.cedarschema`, any number of `*.cedar` files, `standing.toml` and `scenarios/*.toml`. A policy is known by its `@id`,
  unique in the bundle. What is in the TOML files is checked where it is read (`standing_rules`, `policy_scenario`).
* Every policy has an `@reason`: a sentence fit to show to the member concerned.
* Each fault is told with file, line, what is wrong and what to write instead; all faults are told at once.

Cedar numbers policies and knows no lines, so each file is cut into its policies here and each policy is checked by itself.
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cedarpy

from hub.domain.standing_rules import STANDING_FILE
from hub.errors import ConfigError

SCHEMA_FILE = "schema.cedarschema"
POLICY_SUFFIX = ".cedar"
SCENARIOS = "scenarios/"  # the folder's files are in a bundle by "scenarios/<name>.toml"

_FILE = re.compile(
    rf"{re.escape(SCHEMA_FILE)}|{re.escape(STANDING_FILE)}|\w[\w.-]{{0,99}}\.cedar|{SCENARIOS}\w[\w.-]{{0,99}}\.toml", re.ASCII
)
_TOKEN = re.compile(r'(?P<comment>//[^\n]*)|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<end>;)|(?P<space>\s+)|.', re.DOTALL)
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_QUOTED = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """One checked policy: where it stands, what it is called and its parsed form."""

    id: str
    reason: str
    effect: str  # "permit" or "forbid"
    source: str  # "tlp.cedar:12", the line on which it begins
    parsed: dict[str, Any]  # Cedar's JSON policy format, without annotations


@dataclass(frozen=True, slots=True)
class Source:
    """The checked content of a bundle."""

    schema: cedarpy.Schema
    policies: tuple[SourcePolicy, ...]  # by file name, then as they stand in the file


@dataclass(frozen=True, slots=True)
class _Piece:
    """The text of one policy in a file, from its first token to its semicolon."""

    file: str
    line: int
    text: str

    def at(self, word: str | None = None) -> str:
        """Return `file:line` of `word` where it stands in this policy just once, else of the policy's beginning."""
        line = self.line
        if word:
            before, after = (r"\b" if end.isalnum() else "" for end in (word[0], word[-1]))
            found = [match.start() for match in re.finditer(f"{before}{re.escape(word)}{after}", self.text)]
            if len(found) == 1:
                line += self.text.count("\n", 0, found[0])
        return f"{self.file}:{line}"


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """What a schema declares, as far as advice needs it."""

    values: Mapping[str, list[str]]  # of the closed vocabularies, by entity type
    actions: list[str]
    words: list[str]

    @classmethod
    def of(cls, text: str) -> "_Vocabulary":
        code = re.sub(r"//.*", "", text)
        enums = re.findall(r"entity (\w+) enum \[([^\]]*)\]", code)
        actions = re.findall(r"action ([\w\s,]+?)\s*(?:\bin\b|\bappliesTo\b|;)", code)
        return cls(
            values={name: re.findall(r'"([^"]*)"', ids) for name, ids in enums},
            actions=[action.strip() for declared in actions for action in declared.split(",")],
            words=sorted(set(re.findall(r"[A-Za-z_]\w+", code))),
        )


class _Faulty(Exception):
    """A policy is wrong; the message is the whole line to show."""


def check_source(files: Mapping[str, bytes]) -> Source:
    """Return the checked policies of a bundle.

    Args:
        files: content by file name, the whole bundle's.
    Raises:
        ConfigError: the bundle is wrong; `detail` has one fault a line, each beginning with `file:line`.
    """
    texts = _read(files)
    schema = _parse_schema(texts.pop(SCHEMA_FILE))
    vocabulary = _Vocabulary.of(files[SCHEMA_FILE].decode())
    policies: dict[str, SourcePolicy] = {}
    faults: list[str] = []
    for piece in (piece for name in sorted(texts) for piece in _cut(name, texts[name])):
        try:
            policy = _check(piece, schema, vocabulary)
        except _Faulty as fault:
            faults.append(str(fault))
            continue
        first = policies.setdefault(policy.id, policy)
        if first is not policy:
            faults.append(f'{policy.source}: @id("{policy.id}") is taken by {first.source}; give each policy its own @id')
    if faults:
        raise ConfigError("\n".join(faults))
    return Source(schema, tuple(policies.values()))


def _read(files: Mapping[str, bytes]) -> dict[str, str]:
    faults = []
    if SCHEMA_FILE not in files:
        faults.append(f"{SCHEMA_FILE}:1: there is no such file; a bundle needs the schema that its policies are checked against")
    texts = {}
    for name, content in files.items():
        if not _FILE.fullmatch(name):
            held = f"{SCHEMA_FILE}, *{POLICY_SUFFIX}, {STANDING_FILE} and {SCENARIOS}*.toml"
            faults.append(f"{name}:1: a bundle holds {held}; rename the file or take it out")
        try:
            text = content.decode()
            if name == SCHEMA_FILE or name.endswith(POLICY_SUFFIX):
                texts[name] = text
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            faults.append(f"{name}:{line}: byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8")
    if faults:
        raise ConfigError("\n".join(faults))
    return texts


def _parse_schema(text: str) -> cedarpy.Schema:
    try:
        return cedarpy.Schema.from_str(text)
    except ValueError as error:
        piece = _Piece(SCHEMA_FILE, 1, text)
        message = str(error).removeprefix("error parsing schema: ")
        word = next(iter(re.findall(r"`([^`]+)`|: (\w+)$", message)), ("", ""))
        raise ConfigError(f"{piece.at(word[0] or word[1])}: {message}; write it as the Cedar schema format asks") from error


def _cut(name: str, text: str) -> Iterator[_Piece]:
    """Cut a file into its policies: a semicolon outside strings and comments ends one."""
    start: int | None = None
    for token in _TOKEN.finditer(text):
        if start is None:
            if token.lastgroup in ("comment", "space"):
                continue
            start = token.start()
        if token.lastgroup == "end":
            yield _Piece(name, text.count("\n", 0, start) + 1, text[start : token.end()])
            start = None
    if start is not None:
        yield _Piece(name, text.count("\n", 0, start) + 1, text[start:].rstrip())


def _check(piece: _Piece, schema: cedarpy.Schema, vocabulary: _Vocabulary) -> SourcePolicy:
    parsed = _parse(piece)
    annotations = parsed.pop("annotations", {})
    policy_id, reason = annotations.get("id") or "", annotations.get("reason") or ""
    if not _ID.fullmatch(policy_id):
        wrong = f'@id("{policy_id}") is not in lower case with hyphens' if policy_id else "the policy has no @id"
        raise _Faulty(f'{piece.at()}: {wrong}; write @id("what-it-does") above it')
    if not reason.strip():
        raise _Faulty(f'{piece.at()}: policy "{policy_id}" has no @reason; write @reason("…") with a sentence for the member concerned')
    errors = cedarpy.validate_policies(piece.text, schema).errors
    if errors:
        message = re.sub(r"^for policy `policy0`[,:] ", "", errors[0].error)
        raise _Faulty(f'{piece.at(_word(message))}: policy "{policy_id}": {message}; {_advice(message, vocabulary)}')
    return SourcePolicy(policy_id, reason, parsed["effect"], piece.at(), {**parsed, "annotations": {}})


def _parse(piece: _Piece) -> dict[str, Any]:
    try:
        document = json.loads(cedarpy.policies_to_json_str(piece.text))
    except ValueError as error:
        message = str(error)
        raise _Faulty(f"{piece.at(_word(message))}: {message}; {_advice(message, None)}") from error
    policies = list(document["staticPolicies"].values())
    if len(policies) != 1:
        raise _Faulty(f"{piece.at()}: a template (?principal, ?resource) decides nothing by itself; name the principal and the resource")
    return dict(policies[0])


def _word(message: str) -> str | None:
    """Return the word of the policy that a message of Cedar's is about."""
    quoted = _QUOTED.findall(message)
    if quoted:
        return str(quoted[0])
    after = re.search(r"invalid (?:policy effect|variable): (\w+)", message)
    return after[1] if after else None


_ADVICE = (
    ("invalid policy effect", "write permit or forbid"),
    ("optional attribute", "ask first whether it is there: resource has <attribute> && …"),
    ("'=' is not a valid operator", "write =="),
    ("invalid variable", "write principal, action, resource or context"),
    ("not compatible", 'compare values of one type, as in resource.tlp == Tlp::"clear"'),
    ("duplicate annotation", "keep one of the two"),
    ("unexpected end of input", "end the policy with ;"),
    ("unexpected token", "look at this token and the one before it: a bracket, comma or semicolon is missing or too many"),
    ("invalid token", 'look for a " that is not closed'),
)


def _advice(message: str, vocabulary: _Vocabulary | None) -> str:
    """Return what to write instead; there is no vocabulary to advise on where the policy could not even be parsed."""
    for sign, advice in _ADVICE:
        if sign in message:
            return advice
    if vocabulary is None:
        return "write it as the Cedar policy grammar asks"
    entity_type, _, quoted_id = (_word(message) or "").rpartition("::")
    name = quoted_id.strip('"')
    known = vocabulary.actions if entity_type == "Action" else vocabulary.values.get(entity_type, vocabulary.words)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.65)
    if near:
        return f"did you mean {near[0]}?"
    return f"{SCHEMA_FILE} has the vocabulary" if known is vocabulary.words else f"write one of {', '.join(known)}"
