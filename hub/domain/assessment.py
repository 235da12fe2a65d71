"""Assessment: what a line of the ledger changes in items, observables, vouching and accounts.

Pure: `hub.store.assessment` loads what the lines of a batch touch and writes what they changed. Rules:

* An object counts once, as it was when its first version was accepted. Content of public sources counts for nobody, and makes what comes
  later with the same observables no news.
* Members learn nothing from their standing that they may not see: an observable is known, and feedback counts, only where the item behind
  it was visible to the member; and an item is vouched for only by what its own producer may see.
* An owner has one vote on an item, and its word weighs less the more often the two owners vouched for each other before.
* A member earns feedback once for each item and way of answering, and only so often a day; an opinion earns it when a ruling bears it out.
* What an item takes back within the time allowed costs nothing. What a ruling did is undone to the last digit where the ruling falls.

The work for a line does not grow with the history: what is looked up has an index, and of a day only the items that can count are loaded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.domain.ids import MemberId
from hub.domain.item_facts import context_of, kind_of, observed_us_of, sectors_of, usability_of
from hub.domain.ledger import (
    Counted,
    Given,
    Held,
    Item,
    LedgerEvent,
    LedgerKind,
    Observable,
    Pair,
    Shown,
    is_drawn,
    owner_of,
)
from hub.domain.marking import sharing_of
from hub.domain.member import Member, Standing
from hub.domain.reporting import Receipt, ReportRequest, wanted_of
from hub.domain.scoring import MICRO, Verdict, day_credits, feedback_credit, novelty_of, rate, relevance_of, vouching_weight
from hub.domain.standing import Event, day_of, decayed, reliability, weight
from hub.domain.standing_rules import EventKind, StandingRules
from hub.domain.stix_schema import stated

_AGREE = frozenset({"agree", "strongly-agree"})
_DISAGREE = frozenset({"disagree", "strongly-disagree"})
_FEEDBACK_TYPES = frozenset({"sighting", "opinion", "note"})
_OUTCOMES = {EventKind.SIGHTING: "seen", EventKind.NIL_RETURN: "nothing"}
_RULING_OF = {Verdict.TRUE: EventKind.RULED_TRUE, Verdict.FALSE: EventKind.RULED_FALSE}
_RULINGS = tuple(_RULING_OF.values())

Sees = Callable[[MemberId, Shown, int], bool]  # whether a member may see something at a moment


@dataclass(slots=True)
class Books:
    """What is known of members and items, as far as a batch of lines touches it."""

    rules: StandingRules
    secret: bytes  # decides which items are drawn for a ruling
    members: Mapping[MemberId, Member]
    sees: Sees
    is_named: Callable[[Shown], bool]  # whether the producer of something is known to everyone
    item_count: int
    accounts: dict[MemberId, Held] = field(default_factory=dict)
    items: dict[int, Item] = field(default_factory=dict)  # by their row of the ledger
    observables: dict[str, Observable] = field(default_factory=dict)
    counted: dict[int, Counted] = field(default_factory=dict)  # by their row of the ledger
    votes: dict[tuple[int, str], int] = field(default_factory=dict)  # by item and owner: the weight
    pairs: dict[str, Pair] = field(default_factory=dict)
    best: dict[tuple[MemberId, int], dict[int, tuple[int, int]]] = field(default_factory=dict)  # by member and day: quality and credit
    bodies: dict[int, Mapping[str, Any]] = field(default_factory=dict)  # properties of items that a relationship may tie, by item
    requests: dict[int, ReportRequest] = field(default_factory=dict)  # by item
    new_votes: list[tuple[int, str, int]] = field(default_factory=list)
    receipts: dict[tuple[int, MemberId], Receipt] = field(default_factory=dict)  # of items with requests
    recredited: dict[int, int] = field(default_factory=dict)  # credit of items that are not loaded whole
    by_object: dict[int, Item] = field(default_factory=dict)
    by_id: dict[str, list[Item]] = field(default_factory=dict)
    on_item: dict[int, list[Counted]] = field(default_factory=dict)
    _dirty: set[tuple[MemberId, int]] = field(default_factory=set)

    def hold(self, item: Item) -> None:
        """Take up an item that the store holds, or a new one."""
        self.items[item.row] = self.by_object[item.object_row] = item
        for id in (item.stix_id, item.alias):
            if id is not None:
                self.by_id.setdefault(id, []).append(item)

    def note(self, counted: Counted) -> None:
        """Take up feedback, practice or a ruling that the store holds, or a new one."""
        self.counted[counted.row] = counted
        if counted.item is not None:
            self.on_item.setdefault(counted.item, []).append(counted)

    def take(self, event: LedgerEvent, given: Given | None = None) -> None:
        """Take one line into account.

        Args:
            given: the version, where the line is about one.
        """
        match event.kind:
            case LedgerKind.ACCEPTED | LedgerKind.DELETED if given is not None:
                self._take_version(event, given)
            case LedgerKind.JOINED | LedgerKind.GRANTED:
                self._grant(event)
            case LedgerKind.RULED:
                self._rule(event)
            case LedgerKind.PRACTISED:
                self._count(event, EventKind(event.detail["kind"]), MICRO)
            case LedgerKind.ANSWERED if event.detail["upheld"] and event.subject is not None:
                self._put_right(event, event.subject, given)
            case _:
                pass  # a trace only

    def close(self) -> None:
        """Credit the items of the days that changed: the best of each day in full, the others less."""
        loaded: dict[tuple[MemberId, int], list[Item]] = {}
        for item in self.items.values():
            loaded.setdefault((item.member, item.day), []).append(item)
        for member, day in sorted(self._dirty):
            ranked = dict(self.best.get((member, day), {}))
            for item in loaded.get((member, day), ()):
                quality = rate(item.facts(self.rules), self.rules).quality
                item.changed |= quality != item.quality
                item.quality = quality
                ranked[item.row] = (quality, item.credit)
            rows = sorted(ranked, reverse=True)  # of equal ones the later, as the store finds them
            credits = day_credits([ranked[row][0] for row in rows], self.rules)
            gained = 0
            for row, credit in zip(rows, credits, strict=True):
                if credit != ranked[row][1]:
                    gained += credit - ranked[row][1]
                    self._credit_item(row, credit)
            if gained:
                self._add(member, Event(EventKind.ITEM, day, gained))
        self._dirty.clear()

    def _credit_item(self, row: int, credit: int) -> None:
        item = self.items.get(row)
        if item is None:
            self.recredited[row] = credit
        else:
            item.credit, item.changed = credit, True

    # --- versions

    def _take_version(self, event: LedgerEvent, given: Given) -> None:
        known = self.by_object.get(given.object_row)
        type = given.properties["type"]
        if event.kind is LedgerKind.DELETED or (known is not None and given.properties.get("revoked")):
            self._retract(known, event)
        elif known is not None:
            self._ask(known, given)
        elif given.properties.get("revoked"):
            return
        elif given.public:
            self._publish(given)
        elif type == "relationship":
            self._relate(event.member, given.properties)
        elif type in _FEEDBACK_TYPES and (subject := self._subject(event.member, given.properties)) is not None:
            self._report(event, given.properties, subject)
        elif type in self.rules.item.types:
            self._add_item(event, given)

    def _retract(self, item: Item | None, event: LedgerEvent) -> None:
        if item is not None and item.retracted_us is None:
            item.retracted_us, item.changed = event.at_us, True
            self._touch(item)

    def _ask(self, item: Item, given: Given) -> None:
        """Take up what a version asks of those who see it; a later version may ask otherwise."""
        wanted = wanted_of(sharing_of(given.properties))
        if wanted is None:
            return
        known = self.requests.get(item.row)
        if known is None:
            self.requests[item.row] = ReportRequest(
                item.row, item.member, item.stix_id, item.collection_row, item.label, item.at_us, wanted, new=True
            )
        elif known.wanted != wanted:
            known.wanted, known.changed = wanted, True

    def _publish(self, given: Given) -> None:
        for key in sorted(given.keys):
            held = self.observables.get(key)
            if held is None:
                self.observables[key] = Observable(None, public=True, new=True)
            elif not held.public:
                held.public, held.changed = True, True

    def _relate(self, member: MemberId, properties: Mapping[str, Any]) -> None:
        ends = (properties["source_ref"], properties["target_ref"])
        for near, far in (ends, ends[::-1]):
            for item in self.by_id.get(near, ()):
                if item.member == member and item.row in self.bodies:
                    item.related |= {far.partition("--")[0]}
                    item.context = round(context_of(self.bodies[item.row], item.related) * MICRO)
                    item.changed = True
                    self._touch(item)

    def _add_item(self, event: LedgerEvent, given: Given) -> None:
        assert event.version_row is not None, "a version was accepted"
        assert event.collection_row is not None, "it was accepted somewhere"
        assert event.label is not None, "it was accepted under a label"
        properties = given.properties
        related = frozenset(ref.partition("--")[0] for ref in stated(properties, "object_refs") or ())
        item = Item(
            event.row, given.object_row, given.stix_id, given.alias, event.version_row, event.member, event.collection_row, event.label,
            event.at_us, day_of(event.at_us), kind_of(properties, given.observables), observed_us_of(properties) or event.at_us,
            novelty=0, vouched=0, relevance=round(relevance_of(sectors_of(properties), given.audience) * MICRO),
            context=round(context_of(properties, related) * MICRO), usability=round(usability_of(properties) * MICRO),
            related=related, ruled=Verdict.OPEN, ruled_us=None, retracted_us=None, quality=0, credit=0,
            audit=is_drawn(self.secret, self.item_count, self.rules), new=True,
        )  # fmt: skip
        self.item_count += 1
        self.hold(item)
        self.bodies[item.row] = properties
        item.novelty = round(self._novelty(item, given.keys) * MICRO)
        self._ask(item, given)
        self._touch(item)

    def _novelty(self, item: Item, keys: frozenset[str]) -> float:
        """Find how new an item is to its producer and enter its observables; who gave one unseen by it before is borne out by it."""
        known: set[str] = set()
        public: set[str] = set()
        for key in sorted(keys):
            held = self.observables.get(key)
            if held is None:
                self.observables[key] = Observable(item.row, public=False, new=True)
                continue
            if held.public:
                public.add(key)
            first = self.items.get(held.item) if held.item is not None else None
            if first is None:
                continue
            if first.member == item.member or self.sees(item.member, first.shown, item.at_us):
                known.add(key)
            elif self.sees(first.member, item.shown, item.at_us):
                self._vouch(first, item.member, item.day)
        return novelty_of(keys, known, public, self.rules)

    # --- reports back, opinions, notes

    def _subject(self, member: MemberId, properties: Mapping[str, Any]) -> Item | None:
        """Return the item of another member that an object is about, if any."""
        return next((item for ref in references(properties) for item in self.by_id.get(ref, ()) if item.member != member), None)

    def _report(self, event: LedgerEvent, properties: Mapping[str, Any], item: Item) -> None:
        if not self.sees(event.member, item.shown, event.at_us):
            return
        kind, stance = _report_of(properties)
        if item.row in self.requests:
            receipt = self.receipts.setdefault((item.row, event.member), Receipt(item.row, event.member, new=True))
            receipt.report(_OUTCOMES.get(kind, "commented"), event.at_us, named=self.is_named(_shown(event)))
        vouches = kind is EventKind.SIGHTING or stance == "agree"
        if vouches and self.sees(item.member, _shown(event), event.at_us):
            self._vouch(item, event.member, day_of(event.at_us))
        repeated = any((c.member, c.kind) == (event.member, kind) for c in self.on_item.get(item.row, ()))
        if repeated or (kind is EventKind.NIL_RETURN and not self._is_wanted(event, item)):
            return
        credit = 0 if kind is EventKind.OPINION else self._feedback_credit(event.member, item, day_of(event.at_us))
        self._count(event, kind, credit, item=item.row, stance=stance)

    def _is_wanted(self, event: LedgerEvent, item: Item) -> bool:
        """Whether a nil return counts: it was asked for, or it is the one of the month."""
        request = self.requests.get(item.row)
        if request is not None and request.wanted.nil_returns and request.is_open(event.at_us) and request.asks(self.members[event.member]):
            return True
        held, day = self.account(event.member), day_of(event.at_us)
        if held.nil_day and day - held.nil_day < self.rules.action[EventKind.NIL_RETURN].every_d:
            return False
        held.nil_day, held.changed = day, True
        return True

    def _vouch(self, item: Item, voucher: MemberId, day: int) -> None:
        owner, other = owner_of(self.members[voucher]), owner_of(self.members[item.member])
        if (item.row, owner) in self.votes:
            return
        pair = self.pairs.setdefault(pair_of(owner, other), Pair(new=True))
        half_life_d = self.rules.vouching.half_life_d
        earlier = decayed(pair.mass, day, half_life_d)
        trusted = reliability(self.account(voucher).sums, self.rules, day)
        counts = round(vouching_weight(trusted, earlier, self.rules, same_owner=owner == other) * MICRO)
        self.votes[item.row, owner] = counts
        self.new_votes.append((item.row, owner, counts))
        pair.mass += MICRO * weight(day, half_life_d)
        pair.changed = True
        item.vouched += counts
        item.changed = True
        self._touch(item)

    def _feedback_credit(self, member: MemberId, item: Item, day: int) -> int:
        held = self.account(member)
        if held.feedback_day != day:
            held.feedback_day, held.feedback_count = day, 0
        same = owner_of(self.members[member]) == owner_of(self.members[item.member])
        credit = feedback_credit(held.feedback_count, self.rules, same_owner=same)
        if credit:
            held.feedback_count += 1
            held.changed = True
        return credit

    # --- rulings, practice, grants

    def _rule(self, event: LedgerEvent) -> None:
        item = self.items.get(event.subject or 0)
        if item is None:
            return
        for earlier in [c for c in self.on_item.get(item.row, ()) if c.kind in _RULINGS]:
            self._undo(earlier.row)
        item.ruled, item.ruled_us, item.changed = Verdict(event.detail["verdict"]), event.at_us, True
        if item.verdict(self.rules) is not Verdict.RETRACTED:
            self._count(event, _RULING_OF[item.ruled], MICRO, item=item.row)
        upheld = "agree" if item.ruled is Verdict.TRUE else "disagree"
        for opinion in sorted((c for c in self.on_item.get(item.row, ()) if (c.stance, c.credit) == (upheld, 0)), key=_row):
            opinion.day = day_of(event.at_us)
            self._recredit(opinion, self._feedback_credit(opinion.member, item, opinion.day))
        self._touch(item)

    def _put_right(self, answer: LedgerEvent, row: int, given: Given | None) -> None:
        """Do for a member what an upheld contest of a line is about; `given` is the version of that line."""
        item = self.by_object.get(given.object_row) if given is not None else None
        if given is None:
            self._undo(row)
        elif row in self.items:
            self.items[row].novelty, self.items[row].changed = MICRO, True
            self._touch(self.items[row])
        elif item is not None and (given.properties.get("revoked") or answer.detail.get("contested") == LedgerKind.DELETED):
            self._restore(item, answer)
        elif item is None and given.properties["type"] in _FEEDBACK_TYPES:
            self._count_in_full(answer, row, given.properties)

    def _restore(self, item: Item, answer: LedgerEvent) -> None:
        """Let an item stand that was taken back, and count a ruling that was spared it."""
        if item.retracted_us is None:
            return
        item.retracted_us, item.changed = None, True
        if item.ruled is not Verdict.OPEN and not any(c.kind in _RULINGS and c.credit for c in self.on_item.get(item.row, ())):
            self._count(answer, _RULING_OF[item.ruled], MICRO, item=item.row)
        self._touch(item)

    def _count_in_full(self, answer: LedgerEvent, row: int, properties: Mapping[str, Any]) -> None:
        """Credit a report back that was discounted, or not counted at all."""
        counted = self.counted.get(row)
        if counted is None:
            kind, stance = _report_of(properties)
            counted = Counted(row, answer.member, kind, day_of(answer.detail["contested_us"]), 0, None, stance, new=True)
            self.note(counted)
        if counted.credit < MICRO:
            self._recredit(counted, MICRO)

    def _undo(self, row: int) -> None:
        """Take back what an event did: a ruling falls with all that came of it."""
        counted = self.counted.get(row)
        if counted is None:
            return
        self._recredit(counted, 0)
        if counted.kind in _RULINGS and counted.item in self.items:
            item = self.items[counted.item]
            item.ruled, item.ruled_us, item.changed = Verdict.OPEN, None, True
            for opinion in self.on_item.get(item.row, ()):
                if opinion.kind is EventKind.OPINION:
                    self._recredit(opinion, 0)
            self._touch(item)

    def _grant(self, event: LedgerEvent) -> None:
        held, until_day = self.account(event.member), day_of(event.at_us) + self.rules.grace.days
        standing = event.detail.get("standing")
        held.granted, held.granted_until_day = (None, None) if standing is None else (Standing(standing), until_day)
        held.grace_until_day = until_day if event.detail.get("grace") else None
        held.changed = True

    def account(self, member: MemberId) -> Held:
        """Return a member's account; a new one where it has none."""
        return self.accounts.setdefault(member, Held(member, new=True))

    def _count(self, event: LedgerEvent, kind: EventKind, credit: int, *, item: int | None = None, stance: str = "") -> None:
        counted = Counted(event.row, event.member, kind, day_of(event.at_us), 0, item, stance, new=True)
        self.note(counted)
        self._recredit(counted, credit)

    def _recredit(self, counted: Counted, credit: int) -> None:
        self._add(counted.member, Event(counted.kind, counted.day, credit - counted.credit))
        counted.credit, counted.changed = credit, True

    def _add(self, member: MemberId, event: Event) -> None:
        held = self.account(member)
        held.sums = held.sums.plus(event, self.rules)
        held.changed = True

    def _touch(self, item: Item) -> None:
        self._dirty.add((item.member, item.day))


def references(properties: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of the objects that an object may be feedback on, or tie."""
    match properties["type"]:
        case "sighting":
            return (properties["sighting_of_ref"],)
        case "relationship":
            return (properties["source_ref"], properties["target_ref"])
        case "opinion" | "note":
            return tuple(properties["object_refs"])
        case _:
            return ()


def pair_of(owner: str, other: str) -> str:
    """Return what stands for two owners, whichever vouches for the other."""
    return "\n".join(sorted((owner, other)))


def _shown(event: LedgerEvent) -> Shown:
    assert event.collection_row is not None, "it was accepted somewhere"
    assert event.label is not None, "it was accepted under a label"
    return Shown(event.member, event.collection_row, event.label, event.at_us)


def _report_of(properties: Mapping[str, Any]) -> tuple[EventKind, str]:
    """Return how an object reports back, and whether an opinion agrees or disagrees."""
    match properties["type"]:
        case "sighting":
            return (EventKind.NIL_RETURN if properties.get("count") == 0 else EventKind.SIGHTING), ""
        case "opinion":
            opinion = properties["opinion"]
            return EventKind.OPINION, "agree" if opinion in _AGREE else "disagree" if opinion in _DISAGREE else ""
        case _:
            return EventKind.ANSWER, ""


def _row(counted: Counted) -> int:
    return counted.row
