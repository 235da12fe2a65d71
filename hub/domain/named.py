"""Whether a text names an organisation: by its name, a short name, a domain, an address or its STIX id.

* Case, width, spaces and the usual ways of writing a domain so that nobody clicks on it (`example[.]org`) make no difference, nor does the
  percent-encoding of a URL.
* A name counts where it stands as words of its own. A long one counts also where letters are only made to look like its own.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from hub.domain.lookalike import skeleton

_DOMAIN = re.compile(r"(?<![\w.-])(?:[\w-]+\.)+[a-z][\w-]*[a-z0-9](?![\w-])", re.IGNORECASE)
_DOTS = re.compile(r"\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)")
_AT = re.compile(r"\[@\]|\(@\)|\[at\]|\(at\)")
_SPACES = re.compile(r"\s+")
_NAME_CHARS_MIN = 3  # a shorter name would stand in half of all texts
_SKELETON_CHARS_MIN = 8


@dataclass(frozen=True, slots=True)
class Names:
    """All by which an organisation can be told."""

    words: re.Pattern[str] | None  # names and domains, as words of their own; None: it has none
    skeletons: tuple[str, ...]
    ids: frozenset[str]  # the UUIDs of its identities

    @classmethod
    def of(cls, names: Iterable[str], *, domains: Iterable[str], ids: Iterable[str]) -> "Names":
        """Return the names of an organisation, its short names, its domains and its STIX ids."""
        plain = {normal(name) for name in names}
        plain = {name for name in plain if len(name) >= _NAME_CHARS_MIN}
        hosts = {normal(domain).lstrip(".") for domain in domains}
        parts = [rf"(?<!\w){re.escape(name)}(?!\w)" for name in sorted(plain)]
        parts += [rf"(?<![\w-]){re.escape(host)}(?![\w-]|\.\w)" for host in sorted(hosts) if host]
        looks = sorted({look for name in plain if len(look := skeleton(name)) >= _SKELETON_CHARS_MIN})
        return cls(re.compile("|".join(parts)) if parts else None, tuple(looks), frozenset(id.partition("--")[2].lower() for id in ids))

    def are_in(self, text: str) -> bool:
        """Whether a text names the organisation."""
        read = normal(text)
        if any(id in read for id in self.ids):
            return True
        if self.words is not None and self.words.search(read):
            return True
        return bool(self.skeletons) and any(look in skeleton(read) for look in self.skeletons)


def normal(text: str) -> str:
    """Return a text as names are looked for in it."""
    plain = unicodedata.normalize("NFKC", unquote(text)).casefold()
    return _SPACES.sub(" ", _AT.sub("@", _DOTS.sub(".", plain))).strip()


def domains_in(text: str) -> set[str]:
    """Return the domains of the addresses, URLs and host names in a text; of `www.example.org` also `example.org`."""
    hosts = {match.lower() for match in _DOMAIN.findall(normal(text))}
    return hosts | {host.removeprefix("www.") for host in hosts}


def names_of_identity(properties: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """Return the names and the domains that an identity object gives of itself."""
    contact = properties.get("contact_information", "")
    return {properties["name"]}, domains_in(contact)
