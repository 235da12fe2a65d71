"""The last step of admission: what was checked is appended, a push in one transaction, or a stretch of one that is finished later.

* Pushes that are answered at once and wait for the same collection in this process go together: one lock, one commit. Who is first in the
  line does it for all who wait by then.
* A fault undoes only its own: where a transaction for several fails, each goes alone. Where nobody can say whether it was committed,
  all are told that it failed, and send again; that finds what is there.
* Nothing comes in with a key that is good no longer: who ends one waits for the appends that are under way, and those that follow look at
  the keys that vouch for what they bring (`KeyEnded`). What nobody signed costs no look.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Concatenate, ParamSpec, TypeVar

from hub.domain.appending import Batch, Lowering
from hub.domain.ids import AgreementId, MemberId
from hub.domain.label import Attribution
from hub.domain.labelling import describe_change
from hub.domain.taxii import Outcome
from hub.domain.timestamp import format_timestamp
from hub.errors import Unavailable
from hub.service.context import Hub, Moved
from hub.service.line import Checked, Line, Stretch
from hub.service.placing import Placing, load_placing
from hub.store.append import load_batch, write_batch
from hub.store.audit import add_audit
from hub.store.database import Change, Connection, Duplicate
from hub.store.directory import read_revision
from hub.store.markings import Marking, find_markings, new_markings
from hub.store.pushes import Push, advance_push, find_push, new_outcomes, new_pushes
from hub.store.trust import find_member_keys

P = ParamSpec("P")
T = TypeVar("T")
Basis = dict[str, AgreementId]  # the agreement on which a push rests, as the audit trail names it; empty: the terms of membership

_TRIES_MAX = 5  # of a transaction that met the same new object in another collection
LEASE_US = 30_000_000  # how long a node may work on a stretch before another takes the push over


class KeyEnded(Exception):
    """A key that vouches for what is to be appended ended after that was checked: it has to be checked again."""


async def append_in_turn(hub: Hub, stretch: Stretch) -> list[Outcome]:
    """Append a push, which is one stretch, with others that wait for its collection; return what became of its objects.

    Raises:
        Unavailable: the database cannot take it now.
        KeyEnded, Moved: nothing of it was appended.
    """
    line = hub.lines.setdefault(stretch.push.collection_row, Line())
    line.waiting.append(stretch)
    try:
        async with line.turn:
            if stretch.outcomes is None and not stretch.is_in_doubt:
                await _append_first(hub, line, stretch)
    finally:
        if stretch in line.waiting:
            line.waiting.remove(stretch)
    if stretch.outcomes is None:
        raise Unavailable("the hub cannot take this now; try again later")
    return stretch.outcomes


async def _append_first(hub: Hub, line: Line, first: Stretch) -> None:
    # Who is in the line no more was taken along by a transaction that failed.
    together = line.take(first, hub.config.push_chunk_objects) if first in line.waiting else [first]
    try:
        await _append_all(hub, together)
    except (Unavailable, asyncio.CancelledError):
        for other in together[1:]:
            other.is_in_doubt = True
        raise
    except Exception:
        if len(together) == 1:
            raise
        await _append_all(hub, [first])  # the others follow, each in its turn


async def _append_all(hub: Hub, stretches: list[Stretch]) -> None:
    for stretch, outcomes in zip(stretches, await again(hub, _append_together, hub, stretches, hub.now_us()), strict=True):
        stretch.outcomes = outcomes


async def _append_together(conn: Connection, hub: Hub, stretches: list[Stretch], now_us: int) -> list[list[Outcome]]:
    decided = await _decide(conn, stretches, now_us)
    await _require_in_force(conn, decided, stretches)
    await _require_good_keys(conn, decided, hub.now_us())
    finished = [(stretch.push, outcomes) for stretch, outcomes in zip(stretches, decided.outcomes, strict=True)]
    await _write(conn, decided, now_us, [new_pushes(finished)])
    return decided.outcomes


async def append_stretch(conn: Connection, hub: Hub, stretch: Stretch, now_us: int) -> Push:
    """Append a stretch of a push in the background, unless another node did so; return the push as it then stands.

    Raises:
        KeyEnded: nothing of the stretch was appended.
    """
    push = stretch.push
    done = push.done + len(stretch.checked)
    if not await advance_push(conn, push, done, now_us=now_us, until_us=now_us + LEASE_US):
        return await find_push(conn, push.id) or push
    decided = await _decide(conn, [stretch], now_us)
    await _require_good_keys(conn, decided, hub.now_us(), sent_us=push.request_us)
    await _write(conn, decided, now_us, [new_outcomes(push, decided.outcomes[0])])
    return replace(push, done=done, completed_us=now_us if done == push.total else None)


async def again(hub: Hub, work: Callable[Concatenate[Connection, P], Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a write that appends, and again where it met the same new object in another collection: then it finds it."""
    try:
        for _ in range(_TRIES_MAX - 1):
            try:
                return await hub.db.write(work, *args, **kwargs)
            except Duplicate:
                continue
        return await hub.db.write(work, *args, **kwargs)
    finally:
        hub.tell_moved()


@dataclass(slots=True)
class _Decided:
    """What an append comes to, before it is written."""

    outcomes: list[list[Outcome]]  # of each stretch
    batch: Batch | None = None  # None: nothing comes
    markings: list[Marking] = field(default_factory=list)  # that got their meaning
    lowered: list[tuple[Stretch, Lowering]] = field(default_factory=list)
    placing: Placing | None = None  # of renditions; None: none come


async def _decide(conn: Connection, stretches: Sequence[Stretch], now_us: int) -> _Decided:
    """Lock the collection and put everything into a batch, in the order of the stretches."""
    coming = [(c.incoming, c.meaning) for stretch in stretches for c in stretch.checked if c.incoming is not None]
    if not coming:
        return _Decided([[c.outcome for c in stretch.checked] for stretch in stretches])
    member_ids = frozenset[MemberId]().union(*(stretch.member_ids for stretch in stretches))
    batch = await load_batch(conn, stretches[0].push.collection_row, [incoming for incoming, _ in coming], member_ids, now_us)
    held = await find_markings(conn, [incoming.object.id for incoming, meaning in coming if meaning is not None])
    meanings = {(id, member): meaning for id, said in held.items() for member, meaning in said.items()}
    decided = _Decided([], batch)
    drafts = [c.rendition for stretch in stretches for c in stretch.checked if c.rendition is not None]
    if drafts:
        decided.placing = await load_placing(conn, batch.collection_row, drafts, now_us)
    for stretch in stretches:
        decided.outcomes.append([_add(decided, batch, meanings, c, now_us) for c in stretch.checked])
        decided.lowered += [(stretch, lowering) for lowering in batch.lowered[len(decided.lowered) :]]
    return decided


def _add(decided: _Decided, batch: Batch, meanings: dict[tuple[str, MemberId], str], checked: Checked, now_us: int) -> Outcome:
    incoming, outcome = checked.incoming, checked.outcome
    if incoming is None:
        return outcome
    if checked.meaning is not None:
        obj, key, meaning = incoming.object, (incoming.object.id, incoming.producer), checked.meaning.to_json()
        if meanings.get(key, meaning) != meaning:
            refusal = "conflict: you gave this marking definition another meaning before; use a new id"
            return Outcome(obj.id, obj.version or format_timestamp(now_us), refusal)
    draft, placing, before = checked.rendition, decided.placing, len(batch.appended)
    if draft is not None and placing is not None and (unfit := placing.refusal(draft)) is not None:
        return Outcome(outcome.id, outcome.version or format_timestamp(now_us), unfit)
    version, refused = batch.add(incoming)
    if draft is not None and placing is not None and len(batch.appended) > before:
        placing.place(draft)
    if checked.meaning is not None and refused is None and key not in meanings:
        meanings[key] = meaning
        decided.markings.append(Marking(*key, meaning, obj.digest))
    if refused is None and version == outcome.version:
        return outcome
    return Outcome(outcome.id, version, refused, outcome.warning)


async def _require_in_force(conn: Connection, decided: _Decided, stretches: Sequence[Stretch]) -> None:
    """Refuse what was judged by a directory that has moved since."""
    assumed = {stretch.assumed for stretch in stretches} - {None}
    if assumed:
        revision = decided.batch.revision if decided.batch is not None else await read_revision(conn)
        if assumed != {revision}:
            raise Moved


async def _require_good_keys(conn: Connection, decided: _Decided, now_us: int, *, sent_us: int | None = None) -> None:
    """Look at the keys as they are now, under the collection's lock, which whoever ends one takes, too.

    Args:
        now_us: the time under the lock. Whoever ended a key while the append waited for it did so after the append began.
        sent_us: when the message was taken whose key vouches; None: now.
    """
    if decided.batch is None or not decided.batch.vouched:
        return
    vouched = {one for _, incoming in decided.batch.vouched for one in incoming.vouched_by}
    keys = await find_member_keys(conn, {kid for kid, _ in vouched})
    if not all(keys[kid].is_good_at(now_us if is_of_object or sent_us is None else sent_us) for kid, is_of_object in vouched):
        raise KeyEnded


async def _write(conn: Connection, decided: _Decided, now_us: int, beside: Sequence[Change]) -> None:
    if decided.batch is None:
        await conn.change(beside)
        return
    renditions = decided.placing.changes() if decided.placing is not None else ()
    await write_batch(conn, decided.batch, [new_markings(decided.markings), *renditions, *beside])
    for stretch, lowering in decided.lowered:
        basis = {"agreement": stretch.agreement} if stretch.agreement is not None else {}
        if lowering.after.attribution is Attribution.EVERYONE:
            await _record_lowering(conn, stretch.push, lowering, basis, now_us)
        elif decided.placing is not None and lowering.stix_id in decided.placing.pseudonyms:
            await _record_of_rendition(conn, decided.placing.pseudonyms[lowering.stix_id], lowering, basis, now_us)


async def _record_of_rendition(conn: Connection, rendition: str, lowering: Lowering, basis: Basis, now_us: int) -> None:
    """Leave the trace where it does not tell who the producer is, nor when it wrote the version."""
    change = describe_change(replace(lowering.before, recipients=frozenset()), replace(lowering.after, recipients=frozenset()))
    detail = {"collection": lowering.after.collection, **basis, "marking": change}
    await add_audit(conn, at_us=now_us, actor="hub", action="marking.lowered", target=rendition, detail=detail)


async def _record_lowering(conn: Connection, push: Push, lowering: Lowering, basis: Basis, now_us: int) -> None:
    detail = {
        "collection": lowering.after.collection,
        **basis,
        "member": push.member,
        "version": format_timestamp(lowering.version_us),
        "marking": describe_change(lowering.before, lowering.after),
    }
    await add_audit(conn, at_us=now_us, actor=push.credential, action="marking.lowered", target=lowering.stix_id, detail=detail)
