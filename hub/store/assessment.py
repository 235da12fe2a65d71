"""Reading what a batch of the ledger's lines touches, and writing what it changed.

Two nodes never mix: whoever writes says which edition of the computed tables it read, and writes nothing if that has moved.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Select, bindparam, delete, func, literal_column, select, update

from hub.domain.assessment import Books, pair_of
from hub.domain.ids import LabelId, MemberId
from hub.domain.ledger import Counted, Held, Item, LedgerEvent, Observable, Pair, owner_of
from hub.domain.member import Standing
from hub.domain.scoring import Verdict
from hub.domain.standing import Account, Ground
from hub.domain.standing_rules import EventKind, Kind
from hub.store.database import Change, Connection, Row, among, prepare
from hub.store.ledger import LEDGER, event_of
from hub.store.reporting import list_receipts, list_requests, receipt_changes, request_changes
from hub.store.tables import table

STATE = table("assessment")
ITEM = table("item")
OBSERVABLE = table("observable")
VOTE = table("voucher")
PAIR = table("vouch_pair")
COUNTED = table("standing_event")
ACCOUNT = table("account")
HISTORY = table("standing_history")
OBJECT = table("object")
VERSION = table("version")
MEMBER = table("member")

_COMPUTED = (ITEM, OBSERVABLE, VOTE, PAIR, COUNTED, ACCOUNT)

_STATE = prepare(select(STATE.c.edition, STATE.c["items"], STATE.c.day, STATE.c.rules, STATE.c.rebuilding))
_MOVE_STATE = prepare(
    update(STATE)
    .where(STATE.c.edition == bindparam("before"))
    .values(
        edition=STATE.c.edition + 1, items=bindparam("item_count"), day=bindparam("on_day"), rules=bindparam("digest"),
        rebuilding=bindparam("anew"),
    )
)  # fmt: skip
_BUMP_STATE = prepare(update(STATE).values(edition=STATE.c.edition + 1))
_IS_OPEN = LEDGER.c.assessed == literal_column("0")  # as the index of open lines has it: no plan for a parameter could use that
_OPEN = prepare(
    select(
        LEDGER.c.row, LEDGER.c.at_us, LEDGER.c.member_id, LEDGER.c.kind, LEDGER.c.version_row, LEDGER.c.collection_row, LEDGER.c.label_id,
        LEDGER.c.subject, LEDGER.c.detail, VERSION.c.object_row, OBJECT.c.stix_id, VERSION.c.body, OBJECT.c.attribution,
    )
    .outerjoin(VERSION, VERSION.c.row == LEDGER.c.version_row)
    .outerjoin(OBJECT, OBJECT.c.row == VERSION.c.object_row)
    .where(_IS_OPEN)
    .order_by(LEDGER.c.row)
    .limit(bindparam("limit"))
)  # fmt: skip
_COUNT_OPEN = prepare(select(func.count()).select_from(select(LEDGER.c.row).where(_IS_OPEN).limit(bindparam("limit")).subquery()))
_MARK = prepare(update(LEDGER).where(among(LEDGER.c.row, "rows")).values(assessed=1))
_REOPEN = prepare(update(LEDGER).values(assessed=0))
_EMPTY = tuple(prepare(delete(one)) for one in _COMPUTED)

_ITEM_COLUMNS = (
    "row", "object_row", "alias", "version_row", "member_id", "collection_row", "label_id", "at_us", "day", "kind", "observed_us",
    "novelty", "vouched", "relevance", "context", "usability", "related", "ruled", "ruled_us", "retracted_us", "quality", "credit", "audit",
)  # fmt: skip
_ITEM_CHANGING = (
    "row", "novelty", "vouched", "context", "related", "ruled", "ruled_us", "retracted_us", "quality", "credit",
)  # fmt: skip
_COUNTED_COLUMNS = ("row", "member_id", "kind", "day", "credit", "item_row", "stance")
_ACCOUNT_COLUMNS = (
    "member_id", "contribution", "feedback", "practice", "good", "bad", "feedback_day", "feedback_count", "nil_day", "grace_until_day",
    "granted", "granted_until_day", "earned", "ground", "cents",
)  # fmt: skip
_HISTORY_COLUMNS = ("member_id", "at_us", "cents", "standing", "ground", "before", "why")


def items_query() -> Select[Any]:
    """Return the query for items, to be narrowed; `item_of` reads its rows."""
    return select(OBJECT.c.stix_id, *(ITEM.c[name] for name in _ITEM_COLUMNS)).join(OBJECT, OBJECT.c.row == ITEM.c.object_row)


_ITEMS_BY_ID = prepare(items_query().where(among(OBJECT.c.stix_id, "ids")).order_by(ITEM.c.row))
_ITEMS_BY_ALIAS = prepare(items_query().where(among(ITEM.c.alias, "ids")).order_by(ITEM.c.row))
_ITEMS_BY_OBJECT = prepare(items_query().where(among(ITEM.c.object_row, "objects")).order_by(ITEM.c.row))
_ITEMS_BY_ROW = prepare(items_query().where(among(ITEM.c.row, "rows")).order_by(ITEM.c.row))
_BEST = prepare(
    select(ITEM.c.row, ITEM.c.quality, ITEM.c.credit)
    .where(ITEM.c.member_id == bindparam("member"), ITEM.c.day == bindparam("on_day"))
    .order_by(ITEM.c.quality.desc(), ITEM.c.row.desc())
    .limit(bindparam("limit"))
)
_BODIES = prepare(select(ITEM.c.row, VERSION.c.body).join(VERSION, VERSION.c.row == ITEM.c.version_row).where(among(ITEM.c.row, "rows")))
_OBSERVABLES = prepare(select(OBSERVABLE.c.key, OBSERVABLE.c.item_row, OBSERVABLE.c.public).where(among(OBSERVABLE.c.key, "keys")))
_VOTES = prepare(select(VOTE.c.item_row, VOTE.c.owner, VOTE.c.weight).where(among(VOTE.c.item_row, "rows"), among(VOTE.c.owner, "owners")))
_PAIRS = prepare(select(PAIR.c.pair, PAIR.c.mass).where(among(PAIR.c.pair, "pairs")))
_COUNTED = [COUNTED.c[name] for name in _COUNTED_COLUMNS]
_COUNTED_BY_ROW = prepare(select(*_COUNTED).where(among(COUNTED.c.row, "rows")))
_COUNTED_ON = prepare(select(*_COUNTED).where(among(COUNTED.c.item_row, "rows")).order_by(COUNTED.c.row))
_COUNTED_ON_BY = prepare(
    select(*_COUNTED).where(among(COUNTED.c.item_row, "rows"), among(COUNTED.c.member_id, "members")).order_by(COUNTED.c.row)
)
_ACCOUNTS = prepare(select(*(ACCOUNT.c[name] for name in _ACCOUNT_COLUMNS)).where(among(ACCOUNT.c.member_id, "members")))
_ALL_ACCOUNTS = prepare(select(*(ACCOUNT.c[name] for name in _ACCOUNT_COLUMNS)))
_JOINED = prepare(select(MEMBER.c.id, MEMBER.c.created_us))


@dataclass(frozen=True, slots=True)
class State:
    """How far the computed tables are."""

    edition: int
    items: int
    day: int  # the last day for which all standings were found
    rules: str  # digest of the rules that the accounts rest on
    rebuilding: bool


class Line(NamedTuple):
    """A line of the ledger that was not taken into account yet, with the version that it is about."""

    event: LedgerEvent
    object_row: int | None
    stix_id: str | None
    body: bytes | None
    attribution: str | None  # of the object; None: everyone may know its producer


@dataclass(frozen=True, slots=True)
class Touched:
    """What the lines of a batch name, so that it can be loaded."""

    members: frozenset[MemberId]  # whose lines they are
    objects: frozenset[int]
    references: frozenset[str]  # STIX ids
    ties: dict[str, MemberId]  # of those, what a relationship ties, and whose that is
    keys: frozenset[str]  # observables
    subjects: frozenset[int]  # lines of the ledger
    new_days: frozenset[tuple[MemberId, int]]  # of the versions, whether they become items or not


@dataclass(frozen=True, slots=True)
class Record:
    """What a member's standing was at a moment, for its history."""

    member: MemberId
    at_us: int
    cents: int
    standing: Standing
    ground: Ground
    before: Standing
    why: str


async def read_assessment(conn: Connection) -> State:
    """Return how far the computed tables are."""
    row = await conn.fetch_one(_STATE)
    assert row is not None, "the migration adds it"
    return State(row[0], row[1], row[2], row[3], bool(row[4]))


async def count_open_lines(conn: Connection, limit: int) -> int:
    """Return how many lines were not taken into account yet, or `limit` where they are more."""
    return int(await conn.fetch_value(_COUNT_OPEN, limit=limit))


async def read_open_lines(conn: Connection, limit: int) -> list[Line]:
    """Return the first lines that were not taken into account yet."""
    return [Line(event_of(row[:9]), *row[9:]) for row in await conn.fetch(_OPEN, limit=limit)]


async def load_books(conn: Connection, books: Books, touched: Touched) -> None:
    """Load into `books` what the lines of a batch touch."""
    for key, item, public in await conn.fetch(_OBSERVABLES, keys=sorted(touched.keys)):
        books.observables[key] = Observable(item, bool(public))
    for row in await conn.fetch(_COUNTED_BY_ROW, rows=sorted(touched.subjects)):
        books.note(_counted(row))
    firsts = {held.item for held in books.observables.values() if held.item is not None}
    rows = firsts | touched.subjects | {counted.item for counted in books.counted.values() if counted.item is not None}
    references = sorted(touched.references)
    found = [
        *await conn.fetch(_ITEMS_BY_ID, ids=references),
        *await conn.fetch(_ITEMS_BY_ALIAS, ids=references),
        *await conn.fetch(_ITEMS_BY_OBJECT, objects=sorted(touched.objects)),
        *await conn.fetch(_ITEMS_BY_ROW, rows=sorted(rows)),
    ]
    for item in map(item_of, found):
        if item.row not in books.items:
            books.hold(item)
    ruled = {item.row for item in books.items.values() if item.row in rows - firsts}
    others = set(books.items) - ruled
    for row in [
        *await conn.fetch(_COUNTED_ON, rows=sorted(ruled)),
        *await conn.fetch(_COUNTED_ON_BY, rows=sorted(others), members=sorted(touched.members)),
    ]:
        if row[0] not in books.counted:
            books.note(_counted(row))
    await _load_vouching(conn, books, touched)
    await _load_days(conn, books, touched)
    tied = [item.row for id, member in touched.ties.items() for item in books.by_id.get(id, ()) if item.member == member]
    for request in await list_requests(conn, sorted(books.items)):
        books.requests[request.item] = request
    for receipt in await list_receipts(conn, sorted(books.requests), sorted(touched.members)):
        books.receipts[receipt.item, receipt.member] = receipt
    members = touched.members | {item.member for item in books.items.values()} | {c.member for c in books.counted.values()}
    for held in await list_accounts(conn, members):
        books.accounts[held.member] = held
    books.bodies.update(await _bodies(conn, tied))


async def list_accounts(conn: Connection, members: Iterable[MemberId] | None = None) -> list[Held]:
    """Return the accounts of some members, or of all."""
    if members is None:
        return [_held(row) for row in await conn.fetch(_ALL_ACCOUNTS)]
    return [_held(row) for row in await conn.fetch(_ACCOUNTS, members=sorted(members))]


async def read_joined(conn: Connection) -> dict[MemberId, int]:
    """Return when each member was added."""
    return {MemberId(id): created_us for id, created_us in await conn.fetch(_JOINED)}


async def write_books(conn: Connection, state: State, after: State, lines: Sequence[Line], books: Books) -> bool:
    """Write what a batch changed, unless another node has changed the computed tables since `state` was read; whether it was written."""
    if not await move_assessment(conn, state, after):
        return False
    items = [item for item in books.items.values() if item.new]
    changed = [item for item in books.items.values() if item.changed and not item.new]
    # In the order of their keys, which are spread over all there are: so neighbours in the index are written together.
    seen = sorted((key, held.item, int(held.public), held.new) for key, held in books.observables.items() if held.new or held.changed)
    counted = [one for one in books.counted.values() if one.new]
    recounted = [one for one in books.counted.values() if one.changed and not one.new]
    await conn.change([
        Change(ITEM, _ITEM_COLUMNS, [_item_row(item) for item in items]),
        Change(ITEM, _ITEM_CHANGING, [_item_change(item) for item in changed], keys=1),
        Change(ITEM, ("row", "credit"), list(books.recredited.items()), keys=1),
        Change(OBSERVABLE, ("key", "item_row", "public"), [(key, item, public) for key, item, public, new in seen if new]),
        Change(OBSERVABLE, ("key", "public"), [(key, public) for key, _, public, new in seen if not new], keys=1),
        Change(VOTE, ("item_row", "owner", "weight"), books.new_votes),
        Change(PAIR, ("pair", "mass"), [(key, str(pair.mass)) for key, pair in books.pairs.items() if pair.new]),
        Change(PAIR, ("pair", "mass"), [(key, str(p.mass)) for key, p in books.pairs.items() if p.changed and not p.new], keys=1),
        Change(COUNTED, _COUNTED_COLUMNS, [_counted_row(one) for one in counted]),
        Change(COUNTED, ("row", "day", "credit"), [(one.row, one.day, one.credit) for one in recounted], keys=1),
        *account_changes(books.accounts.values()),
        *request_changes(books.requests.values()),
        *receipt_changes(books.receipts.values()),
    ])  # fmt: skip
    await conn.execute(_MARK, rows=[line.event.row for line in lines])
    return True


async def move_assessment(conn: Connection, state: State, after: State) -> bool:
    """Say how far the computed tables are, unless another node has changed them since `state` was read; whether it was said."""
    values = {"item_count": after.items, "on_day": after.day, "digest": after.rules, "anew": int(after.rebuilding)}
    return await conn.execute(_MOVE_STATE, before=state.edition, **values) == 1


async def set_grant(conn: Connection, held: Held) -> None:
    """Write what standing a member has without having earned it; a batch that was computed meanwhile begins again."""
    await conn.execute(_BUMP_STATE)
    known = {one.member: one for one in await list_accounts(conn, [held.member])}
    account = known.get(held.member, Held(held.member, new=True))
    account.granted, account.granted_until_day, account.grace_until_day = held.granted, held.granted_until_day, held.grace_until_day
    account.changed = True
    await conn.change(account_changes([account]))


async def begin_anew(conn: Connection, state: State, rules: str) -> bool:
    """Empty the computed tables and open every line of the ledger again, for rules that rate otherwise; whether it was done."""
    if not await move_assessment(conn, state, State(0, 0, state.day, rules, rebuilding=True)):
        return False
    for empty in _EMPTY:
        await conn.execute(empty)
    await conn.execute(_REOPEN)
    return True


def account_changes(accounts: Iterable[Held]) -> list[Change]:
    """Return what is to be written of accounts."""
    rows = [(held.new, _account_row(held)) for held in accounts if held.new or held.changed]
    return [
        Change(ACCOUNT, _ACCOUNT_COLUMNS, [row for new, row in rows if new]),
        Change(ACCOUNT, _ACCOUNT_COLUMNS, [row for new, row in rows if not new], keys=1),
    ]


def history(records: Sequence[Record]) -> Change:
    """Return what is to be written of histories."""
    return Change(
        HISTORY, _HISTORY_COLUMNS, [(r.member, r.at_us, r.cents, r.standing.value, r.ground.value, r.before.value, r.why) for r in records]
    )


async def _load_vouching(conn: Connection, books: Books, touched: Touched) -> None:
    owners = sorted({owner_of(books.members[member]) for member in touched.members})
    others = {*owners, *(owner_of(books.members[item.member]) for item in books.items.values())}
    for item, owner, weight in await conn.fetch(_VOTES, rows=sorted(books.items), owners=owners):
        books.votes[item, owner] = weight
    pairs = {pair_of(owner, other) for owner in owners for other in others}
    for pair, mass in await conn.fetch(_PAIRS, pairs=sorted(pairs)):
        books.pairs[pair] = Pair(int(mass))


async def _load_days(conn: Connection, books: Books, touched: Touched) -> None:
    counts = dict.fromkeys(touched.new_days, 0)
    for item in books.items.values():
        counts[item.member, item.day] = counts.get((item.member, item.day), 0) + 1
    best_max = books.rules.contribution.items_per_day_max
    for (member, day), count in counts.items():
        # Where each of the `count` items that are loaded fell out, as many others would come in.
        rows = await conn.fetch(_BEST, member=member, on_day=day, limit=best_max + count)
        books.best[member, day] = {row: (quality, credit) for row, quality, credit in rows}


async def _bodies(conn: Connection, rows: Sequence[int]) -> dict[int, dict[str, Any]]:
    return {row: orjson.loads(body) for row, body in await conn.fetch(_BODIES, rows=sorted(rows))} if rows else {}


def item_of(row: Row) -> Item:
    stix_id, number, object_row, alias, version, member, collection, label, at_us, day, kind, observed_us, *rest = row
    novelty, vouched, relevance, context, usability, related, ruled, ruled_us, retracted_us, quality, credit, audit = rest
    return Item(
        number, object_row, stix_id, alias, version, MemberId(member), collection, LabelId(label), at_us, day, Kind(kind), observed_us,
        novelty, vouched, relevance, context, usability, frozenset(filter(None, related.split(","))), Verdict(ruled or Verdict.OPEN),
        ruled_us, retracted_us, quality, credit, bool(audit),
    )  # fmt: skip


def _item_row(item: Item) -> tuple[object, ...]:
    return (
        item.row, item.object_row, item.alias, item.version_row, item.member, item.collection_row, item.label, item.at_us, item.day,
        item.kind.value, item.observed_us, item.novelty, item.vouched, item.relevance, item.context, item.usability,
        ",".join(sorted(item.related)), _ruled(item), item.ruled_us, item.retracted_us, item.quality, item.credit, int(item.audit),
    )  # fmt: skip


def _item_change(item: Item) -> tuple[object, ...]:
    return (
        item.row, item.novelty, item.vouched, item.context, ",".join(sorted(item.related)), _ruled(item), item.ruled_us, item.retracted_us,
        item.quality, item.credit,
    )  # fmt: skip


def _ruled(item: Item) -> str:
    return "" if item.ruled is Verdict.OPEN else item.ruled.value


def _counted(row: Row) -> Counted:
    number, member, kind, day, credit, item, stance = row
    return Counted(number, MemberId(member), EventKind(kind), day, credit, item, stance)


def _counted_row(counted: Counted) -> tuple[object, ...]:
    return (counted.row, counted.member, counted.kind.value, counted.day, counted.credit, counted.item, counted.stance)


def _held(row: Row) -> Held:
    member, contribution, feedback, practice, good, bad, *rest = row
    feedback_day, feedback_count, nil_day, grace_until, granted, granted_until, earned, ground, cents = rest
    return Held(
        MemberId(member), Account(int(contribution), int(feedback), int(practice), int(good), int(bad)), feedback_day, feedback_count,
        nil_day, grace_until, None if granted is None else Standing(granted), granted_until, Standing(earned), Ground(ground), cents,
    )  # fmt: skip


def _account_row(held: Held) -> tuple[object, ...]:
    sums = held.sums
    return (
        held.member, str(sums.contribution), str(sums.feedback), str(sums.practice), str(sums.good), str(sums.bad), held.feedback_day,
        held.feedback_count, held.nil_day, held.grace_until_day, held.granted, held.granted_until_day, held.earned.value,
        held.ground.value, held.cents,
    )  # fmt: skip
