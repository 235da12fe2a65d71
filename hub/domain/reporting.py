"""Reports back: what the producer of an advisory asks of those who see it, and what they answered.

Asked for in the sharing extension of the object itself:
`"report_back": {"by": "2026-12-01T00:00:00Z", "from": ["sector:energy"], "nil_returns": true}`. Who is asked is written as rights on a
collection are, members and groups by their ids. Answers are STIX: a `sighting` (`count` 0 where nothing was seen), an `opinion`, a `note`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from hub.domain.ids import LabelId, MemberId
from hub.domain.json import excerpt
from hub.domain.member import SECTORS, Member, MemberKind
from hub.domain.taxii import Grantee, GranteeKind, audiences_of
from hub.domain.timestamp import parse_timestamp
from hub.errors import Invalid, NotUnderstood

_AUDIENCE_MAX = 100
_KEYS = frozenset({"by", "from", "nil_returns"})
_PREFIXES = {GranteeKind.GROUP: "marking-definition--", GranteeKind.MEMBER: "identity--"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a producer asks for."""

    by_us: int  # until when
    audience: frozenset[Grantee]  # who is asked, of those who see it
    nil_returns: bool  # whether having seen nothing is to be reported too


@dataclass(slots=True)
class ReportRequest:
    """An item whose producer asks for reports back."""

    item: int
    member: MemberId  # who asks
    stix_id: str
    collection_row: int
    label: LabelId
    at_us: int
    wanted: Wanted
    new: bool = False
    changed: bool = False

    def asks(self, member: Member) -> bool:
        """Whether a member is among those that are asked, if it sees the item."""
        return member.id != self.member and not self.wanted.audience.isdisjoint(audiences_of(member))

    def is_open(self, at_us: int) -> bool:
        """Whether there is still time to answer."""
        return at_us <= self.wanted.by_us


@dataclass(slots=True)
class Receipt:
    """What a member did about a request."""

    item: int
    member: MemberId
    fetched_us: int | None = None
    reported_us: int | None = None
    outcome: str = ""  # "seen", "nothing", "commented"; "" where nothing was reported
    named: bool = True  # whether the reporter is known to everyone by its report
    new: bool = False
    changed: bool = False

    def report(self, outcome: str, at_us: int, *, named: bool) -> None:
        """Take up a report: what was seen outweighs what was not, whatever came first."""
        if self.reported_us is None or (outcome == "seen" and self.outcome != "seen"):
            self.reported_us, self.outcome, self.changed = at_us, outcome, True
        if not named:
            self.named, self.changed = False, True


def wanted_of(extension: Mapping[str, Any]) -> Wanted | None:
    """Return what a sharing extension asks for; None where it asks for nothing.

    Raises:
        Invalid: it asks for something that the hub does not understand.
    """
    asked = extension.get("report_back")
    if asked is None:
        return None
    if not isinstance(asked, dict) or not asked.keys() <= _KEYS or "by" not in asked or "from" not in asked:
        _refuse('must be an object with "by", "from" and, if wanted, "nil_returns"')
    nil_returns = asked.get("nil_returns", False)
    if not isinstance(nil_returns, bool):
        _refuse("nil_returns must be true or false")
    audience = asked["from"]
    if not isinstance(audience, list) or not 0 < len(audience) <= _AUDIENCE_MAX:
        _refuse(f"from must be a list of 1 to {_AUDIENCE_MAX} audiences")
    return Wanted(_moment(asked["by"]), frozenset(map(_grantee, audience)), nil_returns)


def audience_to_json(audience: frozenset[Grantee]) -> str:
    """Return an audience as JSON text."""
    return json.dumps(sorted(map(str, audience)))


def audience_from_json(text: str) -> frozenset[Grantee]:
    """Return the audience that `audience_to_json` wrote."""
    return frozenset(map(_grantee, json.loads(text)))


def _moment(value: object) -> int:
    try:
        return parse_timestamp(value if isinstance(value, str) else "")
    except NotUnderstood:
        return _refuse(f"by must be a timestamp such as 2026-12-01T00:00:00Z, not {excerpt(value)}")


def _grantee(value: object) -> Grantee:
    name, colon, which = value.partition(":") if isinstance(value, str) else ("", "", "")
    if value == GranteeKind.EVERYONE:
        return Grantee(GranteeKind.EVERYONE)
    if colon and name in tuple(GranteeKind):
        kind = GranteeKind(name)
        known = {GranteeKind.KIND: frozenset(MemberKind), GranteeKind.SECTOR: SECTORS}.get(kind)
        if which in known if known is not None else which.startswith(_PREFIXES.get(kind, "\0")):
            return Grantee(kind, which)
    return _refuse(f"from must hold everyone, kind:…, sector:…, group:marking-definition--… or member:identity--…, not {excerpt(value)}")


def _refuse(reason: str) -> NoReturn:
    raise Invalid(f"sharing marking: report_back: {reason}")
