"""Assessment: the ledger is taken into account line by line, and members come to the standing that follows, from their next request on.

One node does it at a time; where two try, one of them finds that the computed tables have moved, and begins again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from hub.domain.anonymity import label_of_rendition
from hub.domain.assessment import Books, references
from hub.domain.directory import Directory, HeldCollection
from hub.domain.ids import LabelId, MemberId
from hub.domain.item_facts import keys_of
from hub.domain.label import Attribution, Label
from hub.domain.ledger import PUBLIC_TOPIC, Given, Held, LedgerKind, Shown, observable_key
from hub.domain.member import Member
from hub.domain.placing import Placed, open_account, place, settle
from hub.domain.policy import Decision, PolicyBundle
from hub.domain.pseudonym import Pseudonyms
from hub.domain.standing import day_of
from hub.domain.standing_rules import StandingRules
from hub.domain.taxii import audiences_of
from hub.domain.webhooks.event import EventKind
from hub.service.context import Hub
from hub.service.turns import collect, in_turns
from hub.store.assessment import (
    Line,
    Record,
    State,
    Touched,
    account_changes,
    begin_anew,
    count_open_lines,
    history,
    list_accounts,
    load_books,
    move_assessment,
    read_assessment,
    read_joined,
    read_open_lines,
    write_books,
)
from hub.store.database import Connection
from hub.store.directory import bump_revision, read_revision
from hub.store.feed import labels_named
from hub.store.happened import StoredEvent, record_event
from hub.store.ledger import moved
from hub.store.members import standings

LINES_MAX = 512  # of a round: what every round costs, whatever its size, is nothing beside what these do

Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Round:
    """What a round of assessment works with."""

    hub: Hub
    directory: Directory
    bundle: PolicyBundle
    rules: StandingRules
    state: State
    now_us: int
    collections: Mapping[int, HeldCollection]  # by their rows

    @property
    def day(self) -> int:
        """The day for which standings are found; it never goes back."""
        return max(day_of(self.now_us), self.state.day)


async def is_behind(hub: Hub, lines: int = 1) -> bool:
    """Whether there is something for `assess` to do: something other than to take lines into account, or so many lines at least."""
    rules = (await hub.policies(await hub.directory())).standing
    async with hub.db.read() as conn:
        state = await read_assessment(conn)
        waiting = await count_open_lines(conn, lines)
    return waiting == lines or state.rebuilding or state.day < day_of(hub.now_us()) or state.rules != rules.account_digest


async def assess(hub: Hub) -> bool:
    """Take the next lines of the ledger into account, or find all standings where a day has begun; whether there was anything to do."""
    directory = await hub.directory()
    bundle = await hub.policies(directory)
    async with hub.db.read() as conn:
        state = await read_assessment(conn)
        waiting = await count_open_lines(conn, 1)
    collections = {held.row: held for held in directory.collections.values()}
    work = _Round(hub, directory, bundle, bundle.standing, state, hub.now_us(), collections)
    if state.rules != work.rules.account_digest:
        await _begin(work)
    elif waiting:
        await _take_lines(work)
    elif state.rebuilding or state.day < work.day:
        await _place_all(work)
    else:
        return False
    return True


async def assess_all(hub: Hub) -> None:
    """Take every line of the ledger into account, and find all standings of the day."""
    while await assess(hub):
        pass


async def _begin(work: _Round) -> None:
    """Take up new rules: where any account rests on other ones, everything is computed again; until then no standing changes."""
    digest = work.rules.account_digest
    if work.state.rules:
        await work.hub.db.write(begin_anew, work.state, digest)
    else:
        await work.hub.db.write(move_assessment, work.state, replace(work.state, rules=digest))


async def _take_lines(work: _Round) -> None:
    async with work.hub.db.snapshot() as conn:
        if await read_revision(conn) != work.directory.revision:
            return  # lines may be of a member or a collection that came since
        lines = await read_open_lines(conn, LINES_MAX)
        places = {line.event.collection_row for line in lines if line.event.collection_row is not None}
        audiences = {row: _audience(work, work.collections[row]) for row in places}
        given = dict(await collect((line.event.row, _given(work, line, audiences)) for line in lines))
        touched = _touched(lines, given)
        books = await _load(work, conn, lines, touched)
        joined = await read_joined(conn) if any(member not in books.accounts for member in _concerned(books, touched)) else {}
    for member, joined_us in sorted(joined.items()):
        if member in _concerned(books, touched) and member not in books.accounts:
            open_account(books.account(member), work.directory.members[member], work.rules, joined_us)
    async for line in in_turns(lines):
        books.take(line.event, given[line.event.row])
    books.close()
    moves = {} if work.state.rebuilding else _place(work, [held for held in books.accounts.values() if held.changed or held.new])
    after = replace(work.state, items=books.item_count)

    async def write(conn: Connection) -> None:
        if moves or any(request.new or request.changed for request in books.requests.values()):
            await bump_revision(conn)  # first: administrative changes queue there; nodes read standings and open requests anew
        if await write_books(conn, work.state, after, lines, books):
            await _write_moves(conn, work, moves)

    await work.hub.db.write(write)


async def _place_all(work: _Round) -> None:
    """Find the standings of all members for the day, and keep them in their histories."""
    async with work.hub.db.snapshot() as conn:
        accounts = {held.member: held for held in await list_accounts(conn)}
        joined = await read_joined(conn)
    for member in work.directory.members.values():
        if member.id not in accounts:
            accounts[member.id] = Held(member.id, new=True)
            open_account(accounts[member.id], member, work.rules, joined[member.id])
    shown = [held for held in accounts.values() if held.member in work.directory.members]
    before = {held.member: held.cents for held in shown}
    moves = _place(work, shown)
    records = [
        Record(held.member, work.now_us, held.cents, member.standing, held.ground, member.standing, "")
        for held in shown
        if (held.cents or before[held.member]) and held.member not in moves and (member := work.directory.members[held.member])
    ]
    after = replace(work.state, day=work.day, rebuilding=False)

    async def write(conn: Connection) -> None:
        if moves:
            await bump_revision(conn)
        if await move_assessment(conn, work.state, after):
            await conn.change([*account_changes(shown), history(records)])
            await _write_moves(conn, work, moves)

    await work.hub.db.write(write)


def _place(work: _Round, accounts: Sequence[Held]) -> dict[MemberId, Placed]:
    """Settle accounts, and return the members whose standing changes, with the new one."""
    moves = {}
    for held in accounts:
        member = work.directory.members.get(held.member)
        if member is not None:
            placed = place(held, member, work.rules, work.day)
            settle(held, placed)
            if placed.standing is not member.standing:
                moves[member.id] = placed
    return moves


async def _write_moves(conn: Connection, work: _Round, moves: Mapping[MemberId, Placed]) -> None:
    records = [
        Record(id, work.now_us, p.cents, p.standing, p.ground, work.directory.members[id].standing, p.why) for id, p in moves.items()
    ]
    details = [(r.member, {"before": r.before, "standing": r.standing, "ground": r.ground, "why": r.why}) for r in records]
    await conn.change([standings([(r.member, r.standing) for r in records]), history(records), moved(details, at_us=work.now_us)])
    for r in records:
        facts = {"before": r.before.value, "standing": r.standing.value}
        told = StoredEvent(EventKind.STANDING_CHANGED, r.member, member=r.member, facts=facts)
        await record_event(conn, told, now_us=work.now_us)


async def _load(work: _Round, conn: Connection, lines: Sequence[Line], touched: Touched) -> Books:
    sight = _Sight(work, work.hub.kept.labels)
    books = Books(work.rules, work.hub.secret, work.directory.members, sight.sees, sight.is_named, work.state.items)
    await load_books(conn, books, touched)
    needed = {line.event.label for line in lines if line.event.label is not None}.union(item.label for item in books.items.values())
    sight.labels.update(await labels_named(conn, sorted(needed - sight.labels.keys())))
    return books


@dataclass(slots=True)
class _Sight:
    """Answers whether a member may see something, by the policies in force."""

    work: _Round
    labels: dict[LabelId, Label]
    known: dict[tuple[MemberId, LabelId], Decision] = field(default_factory=dict)

    def sees(self, member: MemberId, shown: Shown, at_us: int) -> bool:
        """Whether `member` could see it at `at_us`, in the form in which it is shown to that member."""
        if member == shown.member:
            return True
        decision = self.known.get((member, shown.label))
        if decision is None:
            decision = self.known[member, shown.label] = self._decide(self.work.directory.members[member], shown)
        return decision.allowed and at_us >= shown.at_us + decision.delay_s * 1_000_000

    def is_named(self, shown: Shown) -> bool:
        """Whether everyone who sees it may know whose it is."""
        return self.labels[shown.label].attribution is Attribution.EVERYONE

    def _decide(self, member: Member, shown: Shown) -> Decision:
        label, held = self.labels[shown.label], self.work.collections[shown.collection_row]
        decision = self.work.bundle.decide_label(member, label, held.collection)
        if not decision.allowed and label.attribution is not Attribution.EVERYONE:
            rendition = label_of_rendition(label, label.recipients)
            decision = self.work.bundle.decide_label(member, rendition, held.collection)
        return decision


def _given(work: _Round, line: Line, audiences: Mapping[int, frozenset[str]]) -> Given | None:
    if line.body is None or line.object_row is None or line.stix_id is None:
        return None
    collection = line.event.collection_row
    assert collection is not None, "it was accepted somewhere"
    public = work.collections[collection].collection.topic == PUBLIC_TOPIC
    properties = orjson.loads(line.body)
    observables = keys_of(properties)
    keys = frozenset(map(observable_key, observables))
    hidden = line.attribution is not None
    alias = Pseudonyms.of(work.hub.secret).id_of(line.event.member, line.stix_id) if hidden else None
    return Given(line.object_row, line.stix_id, alias, properties, observables, keys, public, audiences[collection])


def _audience(work: _Round, held: HeldCollection) -> frozenset[str]:
    """Return the sectors of those who may read a collection."""
    known = work.hub.kept.of(work.directory).audiences
    audience = known.get(held.collection.id)
    if audience is None:
        readers = held.collection.readers
        members = (m for m in work.directory.members.values() if not m.suspended and not readers.isdisjoint(audiences_of(m)))
        audience = known[held.collection.id] = frozenset().union(*(member.sectors for member in members))
    return audience


def _touched(lines: Sequence[Line], given: Mapping[int, Given | None]) -> Touched:
    refs: set[str] = set()
    ties: dict[str, MemberId] = {}
    keys: set[str] = set()
    new_days: set[tuple[MemberId, int]] = set()
    events = [line.event for line in lines]
    for event in events:
        version = given[event.row]
        if version is None:
            continue
        new_days.add((event.member, day_of(event.at_us)))
        if event.kind is not LedgerKind.ACCEPTED:
            continue
        keys |= version.keys
        named = references(version.properties)
        if named:
            refs.update(named)
            if version.properties["type"] == "relationship":
                ties.update(dict.fromkeys(named, event.member))
    return Touched(
        members=frozenset(event.member for event in events),
        objects=frozenset(version.object_row for version in given.values() if version is not None),
        references=frozenset(refs),
        ties=ties,
        keys=frozenset(keys),
        subjects=frozenset(event.subject for event in events if event.subject is not None),
        new_days=frozenset(new_days),
    )


def _concerned(books: Books, touched: Touched) -> set[MemberId]:
    """Return whose accounts a batch may change."""
    return {*touched.members, *(item.member for item in books.items.values()), *(counted.member for counted in books.counted.values())}
