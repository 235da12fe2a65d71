"""STIX 2.1 patterns (§9): whether a text is one, by a recursive descent over the whole of the OASIS grammar, STIXPattern.g4.

- All of the operators AND, OR and FOLLOWEDBY associate and mix freely, so a chain of them needs no precedence to be recognised.
- Beyond the grammar: an observation takes each kind of qualifier once, and a hash compared for equality has its algorithm's length.
- Time is linear in the length; nesting is limited, so that no pattern exhausts the stack. Regular expressions in MATCHES are never run.
- The commonest patterns, comparisons without parentheses, are recognised by one regular expression; all others are read token by token.
"""

import re
from collections.abc import Callable
from itertools import islice

from hub.domain.json import excerpt
from hub.domain.stix_limits import Limits
from hub.errors import Invalid

_KEYWORDS = frozenset(
    """AND OR NOT FOLLOWEDBY LIKE MATCHES ISSUPERSET ISSUBSET EXISTS LAST IN START STOP SECONDS true false WITHIN REPEATS TIMES""".split()
)
_OBSERVATION_OPERATORS = frozenset({"AND", "OR", "FOLLOWEDBY"})
_COMPARISON_OPERATORS = frozenset({"AND", "OR"})
_QUALIFIERS = frozenset({"START", "WITHIN", "REPEATS"})
_EQUALITIES = frozenset({"=", "==", "!=", "<>"})
_ORDERS = frozenset({"<", "<=", ">", ">="})
_STRING_TESTS = frozenset({"LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"})
_MARKS = frozenset("[]():,.*")
_END = "\0"  # stands behind a text and is no token within it, so that the end is a token too
_UNKNOWN = ""  # what is no token, with all that follows
_FIXED = _KEYWORDS | _EQUALITIES | _ORDERS | _MARKS | {_END, _UNKNOWN}
_QUOTED = {"'": "string", "t": "timestamp", "h": "hex", "b": "binary"}
_ORDERABLE = frozenset({"integer", "float", *_QUOTED.values()})
_PRIMITIVE = _ORDERABLE | {"true", "false"}

_GAP = r"(?:[ \t\r\n\v\f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+ | /\*.*?\*/ | //[^\r\n]*)*"
_GAPS = re.compile(_GAP, re.VERBOSE | re.DOTALL)
_TOKEN = re.compile(
    _GAP
    + r"""
    (?: ( t'[0-9]{4}-(?:0[1-9]|1[012])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?Z'
        | h'(?:[0-9A-Fa-f]{2})*'
        | b'(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)'
        | [a-zA-Z_][a-zA-Z0-9_-]*
        | '[^'\\]*(?:\\['\\][^'\\]*)*'
        | [+-]?[0-9]*\.[0-9]+
        | [+-]?(?:0(?![0-9])|[1-9][0-9]*)
        | ==?|!=|<>|<=?|>=?|[][():,.*]
        | \0\Z
        )
      | .+
    )
    """,
    re.VERBOSE | re.DOTALL,
)
# The common patterns as one regular expression; whatever is repeated in it is taken once and for all, so that its time is linear.
_NUMBER = r"(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?"
_TEXT = r"'[^'\\]*+'"
_PLAIN_TEST = rf"""(?>
    ([a-zA-Z_][\w-]*+) : ([a-zA-Z_]\w*+ (?:\.(?:[a-zA-Z_]\w*+|'[\w-]++'))*+)
    (?: [ ]*+ (?:==?|!=|<>) [ ]*+ (?:'([^'\\]*+)'|[+-]?{_NUMBER}|true|false)
      | [ ]*+ [<>]=? [ ]*+ (?:{_TEXT}|[+-]?{_NUMBER})
      | [ ]++ (?:LIKE|MATCHES|ISSUBSET|ISSUPERSET) [ ]*+ {_TEXT}
    ))"""
_PLAIN_OBSERVATION = rf"""
    \[ [ ]*+ {_PLAIN_TEST} (?:[ ]++ (?:AND|OR) [ ]++ {_PLAIN_TEST})*+ [ ]*+ \]
    (?:[ ]*+ (?:WITHIN [ ]++ {_NUMBER} [ ]++ SECONDS|REPEATS [ ]++ [1-9][0-9]*+ [ ]++ TIMES))?+"""
_EACH_PLAIN_TEST = re.compile(_PLAIN_TEST, re.ASCII | re.VERBOSE)
_PLAIN = re.compile(rf"{_PLAIN_OBSERVATION} (?:[ ]++ (?:AND|OR|FOLLOWEDBY) [ ]++ {_PLAIN_OBSERVATION})*+ [ ]*+", re.ASCII | re.VERBOSE)
_ESCAPED = re.compile(r"\\(['\\])")

_HEX_LENGTHS = {  # hash algorithm, without hyphens and in capitals -> its possible lengths in hexadecimal digits
    "MD5": (32,),
    "MD6": (32, 40, 56, 64, 96, 128),
    "RIPEMD160": (40,),
    "SHA1": (40,),
    "SHA224": (56,),
    "SHA256": (64,),
    "SHA384": (96,),
    "SHA512": (128,),
    "SHA3224": (56,),
    "SHA3256": (64,),
    "SHA3384": (96,),
    "SHA3512": (128,),
    "WHIRLPOOL": (128,),
}
_HEX = re.compile(r"[0-9a-fA-F]+")
_SSDEEP = re.compile(r"[a-zA-Z0-9/+:.]{1,128}")


def check_pattern(text: str, *, limits: Limits) -> frozenset[tuple[str, str]]:
    """Refuse a text that is no STIX 2.1 pattern. Takes less than 1 µs per token: fit for the event loop, up to `pattern_bytes_max`.

    Returns:
        The object types of its paths, each with the property that the path begins with.
    Raises:
        Invalid: it is none, or is longer or nested deeper than the limits; the detail names the character where it stops being one.
    """
    if len(text) * 4 > limits.pattern_bytes_max and len(text.encode(errors="replace")) > limits.pattern_bytes_max:
        raise Invalid(f"pattern is longer than {limits.pattern_bytes_max} bytes")
    paths = _paths_of_plain(text)
    if paths is not None:
        return paths
    reader = _Reader(text, depth_max=limits.pattern_depth_max)
    reader.pattern()
    return frozenset(reader.paths)


def _paths_of_plain(text: str) -> frozenset[tuple[str, str]] | None:
    """Return the paths of a pattern that only compares properties with values, without parentheses; None for any other, good or bad."""
    if not _PLAIN.fullmatch(text):
        return None
    paths = set()
    for object_type, path, equalled in _EACH_PLAIN_TEST.findall(text):
        steps = path.split(".")
        if object_type in _KEYWORDS or not _KEYWORDS.isdisjoint(steps):
            return None
        if "hashes" in path and not _is_hash(equalled, steps[-1].strip("'")):
            return None
        paths.add((object_type, steps[0]))
    return frozenset(paths)


class _Reader:
    """Reads one pattern, token by token; each method reads one rule of the grammar or raises Invalid."""

    __slots__ = ("_depth", "_depth_max", "_position", "_text", "_words", "paths")

    def __init__(self, text: str, *, depth_max: int) -> None:
        self._text, self._depth_max = text, depth_max
        self._words: list[str] = _TOKEN.findall(text + _END)
        self._position = self._depth = 0
        self.paths: set[tuple[str, str]] = set()

    def pattern(self) -> None:
        self._chain(self._observation, _OBSERVATION_OPERATORS)
        self._expect(_END, "the end of the pattern or AND, OR, FOLLOWEDBY or a qualifier")

    def _observation(self) -> None:
        if self._take("["):
            self._chain(self._comparison, _COMPARISON_OPERATORS)
            self._expect("]", "']' or AND or OR")
            self._qualifiers(each_once=True)
        else:
            self._expect("(", "'[' or '('")
            self._nested(self._observation, _OBSERVATION_OPERATORS)
            self._qualifiers(each_once=False)

    def _qualifiers(self, *, each_once: bool) -> None:
        seen: set[str] = set()
        while (qualifier := self._words[self._position]) in _QUALIFIERS:
            if each_once and qualifier in seen:
                raise self._fault("one observation takes each qualifier only once")
            seen.add(qualifier)
            self._position += 1
            if qualifier == "START":
                self._timestamp()
                self._expect("STOP", "STOP")
                self._timestamp()
            elif qualifier == "WITHIN":
                self._count(("integer", "float"))
                self._expect("SECONDS", "SECONDS")
            else:
                self._count(("integer",))
                self._expect("TIMES", "TIMES")

    def _timestamp(self) -> None:
        if self._kind() != "timestamp":
            raise self._fault("expected a timestamp, t'…Z'")
        self._position += 1

    def _count(self, kinds: tuple[str, ...]) -> None:
        if self._kind() not in kinds or self._words[self._position].startswith("-"):
            raise self._fault(f"expected a positive {' or '.join(kinds)}")
        self._position += 1

    def _comparison(self) -> None:
        if self._take("("):
            self._nested(self._comparison, _COMPARISON_OPERATORS)
        elif self._words[self._position] in ("NOT", "EXISTS"):
            self._take("NOT")
            self._expect("EXISTS", "EXISTS")
            self._path()
        else:
            path = self._path()
            self._take("NOT")
            self._test(path)

    def _path(self) -> list[str]:
        """Read an object path and return its named steps, the object type left out."""
        if self._kind() not in ("name", "hyphened name"):
            raise self._fault("expected an object path, such as file:name")
        object_type = self._words[self._position]
        self._position += 1
        self._expect(":", "':' and a property")
        steps = [self._step()]
        self.paths.add((object_type, steps[0]))
        while True:
            if self._take("."):
                steps.append(self._step())
            elif self._take("["):
                if self._kind() == "integer":
                    self._position += 1
                else:
                    self._expect("*", "an index or '*'")
                self._expect("]", "']'")
                steps.append("")
            else:
                return steps

    def _step(self) -> str:
        kind, word = self._kind(), self._words[self._position]
        if kind not in ("name", "string"):
            raise self._fault("expected the name of a property, quoted if it is not made of a-z, A-Z, 0-9 and _ or is a keyword")
        self._position += 1
        if kind == "name":
            return word
        return _ESCAPED.sub(r"\1", word[1:-1]) if "\\" in word else word[1:-1]

    def _test(self, path: list[str]) -> None:
        operator = self._words[self._position]
        self._position += 1
        if operator in _EQUALITIES:
            self._literal(_PRIMITIVE, path)
        elif operator in _ORDERS:
            self._literal(_ORDERABLE, [])
        elif operator in _STRING_TESTS:
            self._literal(frozenset({"string"}), [])
        elif operator == "IN":
            self._expect("(", "'(' and a list of values")
            if not self._take(")"):
                self._literal(_PRIMITIVE, path)
                while self._take(","):
                    self._literal(_PRIMITIVE, path)
                self._expect(")", "')' or ','")
        else:
            self._position -= 1
            raise self._fault("expected a comparison: =, !=, <, <=, >, >=, IN, LIKE, MATCHES, ISSUBSET or ISSUPERSET")

    def _literal(self, kinds: frozenset[str], path: list[str]) -> None:
        if self._kind() not in kinds:
            raise self._fault("expected a value that the comparison takes, such as 'text', 5, true or t'2026-01-01T00:00:00Z'")
        if "hashes" in path and not _is_hash(self._words[self._position].strip("'"), path[-1]):
            raise self._fault(f"no {excerpt(path[-1])} hash looks like this")
        self._position += 1

    def _chain(self, operand: Callable[[], None], operators: frozenset[str]) -> None:
        operand()
        while self._words[self._position] in operators:
            self._position += 1
            operand()

    def _nested(self, operand: Callable[[], None], operators: frozenset[str]) -> None:
        self._depth += 1
        if self._depth > self._depth_max:
            raise self._fault(f"parentheses nest more than {self._depth_max} deep")
        self._chain(operand, operators)
        self._expect(")", "')'")
        self._depth -= 1

    def _kind(self) -> str:
        """Return what the next token is; a keyword, an operator or a mark is a kind of its own."""
        word = self._words[self._position]
        if word in _FIXED:
            return word
        if word[-1] == "'":
            return _QUOTED[word[0]]
        if word[0] in "+-.0123456789":
            return "float" if "." in word else "integer"
        return "hyphened name" if "-" in word else "name"

    def _take(self, word: str) -> bool:
        taken = self._words[self._position] == word
        self._position += taken
        return taken

    def _expect(self, word: str, wanted: str) -> None:
        if self._words[self._position] != word:
            raise self._fault(f"expected {wanted}")
        self._position += 1

    def _fault(self, reason: str) -> Invalid:
        place = self._place()
        rest = self._text[place : place + 20]
        return Invalid(f"pattern: {reason}, at character {place + 1}" + (f", before {excerpt(rest)}" if rest else ", where it ends"))

    def _place(self) -> int:
        """Return where the next token begins: it is looked for again, as only messages need to know."""
        token = next(islice(_TOKEN.finditer(self._text + _END), self._position, None))
        gap = _GAPS.match(self._text, token.start())
        return gap.end() if gap else token.start()


def _is_hash(value: str, algorithm: str) -> bool:
    name = algorithm.upper().replace("-", "")
    if name == "SSDEEP":
        return bool(_SSDEEP.fullmatch(value))
    lengths = _HEX_LENGTHS.get(name)
    return lengths is None or (len(value) in lengths and bool(_HEX.fullmatch(value)))
