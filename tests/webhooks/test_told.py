"""What a subscriber is told of what comes into its view late or again, and of what is gone: nothing of what it never saw."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hub.domain.member import MemberKind
from hub.domain.taxii import ALL_VERSIONS, Query, Right, VersionMatch
from hub.domain.webhooks.event import EventKind
from hub.service.administer import COMMAND_LINE
from hub.service.agreements import Signature, add_agreement
from hub.service.collections import change_collection, grant_right, revoke_right
from hub.service.fan_out import FanOut
from hub.service.groups import add_group, join_group, leave_group
from hub.service.happenings import PAGE
from hub.service.members import add_member, resume_member, suspend_member
from hub.service.remove import delete_object
from hub.service.subscriptions import FilterWish
from hub.store.database import Database
from tests.standing.world import World, shared_with
from tests.taxii.content import DAY_2, Object, domain_name, indicator, version_of
from tests.watched import Watched
from tests.webhooks.hooks import log_of, subscribe
from tests.webhooks.recorder import Recorder, make_all, send_all

URL = "https://receiver.example/hook"
INDICATORS = FilterWish(types=["indicator"])


async def delete(
    world: World, obj: Object, *, of: str = "shared", versions: VersionMatch = ALL_VERSIONS, slug: str = "energy"
) -> None:  # fmt: skip
    directory, principal = await world.hub.directory(), await world.principal(slug)
    await delete_object(world.hub, directory, principal, "hub", of, obj["id"], Query(versions=versions))


async def told(world: World, recorder: Recorder) -> list[tuple[str, str]]:
    """Return what was told since this was last asked: events and ids of objects."""
    recorder.sent.clear()
    await send_all(world.hub)
    return [(data["event"], data["object_id"]) for data in recorder.data]


async def collection(world: World, alias: str) -> str:
    held = (await world.hub.directory()).collections.values()
    return next(one.collection.id for one in held if one.collection.alias == alias)


async def test_a_collection_that_is_opened_later_is_told_as_it_is_and_nothing_of_what_was_gone_before(world: World, recorder: Recorder):
    await subscribe(world.hub, URL, "telecoms", ordered=True, filter=INDICATORS)
    kept, gone, taken_back = indicator(), indicator(), indicator()
    await world.push("energy", kept, gone, taken_back, to="private")
    await world.push("energy", version_of(taken_back, DAY_2, revoked=True), to="private")
    await delete(world, gone, of="private")
    assert await told(world, recorder) == []
    await grant_right(world.hub, COMMAND_LINE, await collection(world, "private"), Right.READ, "member:telecoms")
    assert await told(world, recorder) == [("added", kept["id"]), ("added", taken_back["id"]), ("revoked", taken_back["id"])]
    await delete(world, kept, of="private")
    assert await told(world, recorder) == [("deleted", kept["id"])]


async def test_who_joins_a_group_is_told_nothing_of_what_was_gone_before(world: World, recorder: Recorder):
    group = await add_group(world.hub, COMMAND_LINE, slug="circle", name="Circle", members=["energy"])
    await subscribe(world.hub, URL, "telecoms", ordered=True, filter=INDICATORS)
    kept, gone = (indicator(object_marking_refs=[group.id]) for _ in range(2))
    await world.push("energy", kept, gone)
    await delete(world, gone)
    await join_group(world.hub, COMMAND_LINE, "circle", member="telecoms")
    assert await told(world, recorder) == [("added", kept["id"])]


Act = Callable[[World], Awaitable[Any]]
WAYS: dict[str, tuple[Act, Act]] = {
    "right": (lambda world: _set_right(world, revoke_right), lambda world: _set_right(world, grant_right)),
    "suspension": (
        lambda world: suspend_member(world.hub, COMMAND_LINE, "telecoms"),
        lambda world: resume_member(world.hub, COMMAND_LINE, "telecoms"),
    ),
    "group": (
        lambda world: leave_group(world.hub, COMMAND_LINE, "circle", member="telecoms"),
        lambda world: join_group(world.hub, COMMAND_LINE, "circle", member="telecoms"),
    ),
}


async def _set_right(world: World, set_right: Callable[..., Awaitable[Any]]) -> None:
    shared = await collection(world, "shared")
    await grant_right(world.hub, COMMAND_LINE, shared, Right.READ, "member:energy")
    await set_right(world.hub, COMMAND_LINE, shared, Right.READ, "everyone")


@pytest.mark.parametrize("way", WAYS)
async def test_what_came_and_went_while_a_member_could_not_see_it_is_not_told(world: World, recorder: Recorder, way: str):
    lose, regain = WAYS[way]
    group = await add_group(world.hub, COMMAND_LINE, slug="circle", name="Circle", members=["energy", "telecoms"])
    await subscribe(world.hub, URL, "telecoms", ordered=True, filter=INDICATORS)
    marked = {"object_marking_refs": [group.id]}
    before, hidden, after = indicator(**marked), indicator(**marked), indicator(**marked)
    await world.push("energy", before)
    assert await told(world, recorder) == [("added", before["id"])]
    await lose(world)  # and nobody looks before it has it again
    await world.push("energy", hidden)
    await delete(world, hidden)
    await regain(world)
    await world.push("energy", after)
    await delete(world, before)
    assert await told(world, recorder) == [("added", after["id"]), ("deleted", before["id"])]


async def test_a_deletion_is_told_to_who_saw_it_though_it_could_see_nothing_in_between(world: World, recorder: Recorder):
    await subscribe(world.hub, URL, "telecoms", ordered=True, filter=INDICATORS)
    await world.push("energy", obj := indicator())
    assert await told(world, recorder) == [("added", obj["id"])]
    await delete(world, obj)
    await make_all(world.hub)
    lose, regain = WAYS["right"]
    await lose(world)
    await make_all(world.hub)
    await regain(world)
    assert await told(world, recorder) == [("deleted", obj["id"])]


async def test_a_deletion_is_told_by_a_filter_that_looks_at_the_producer_or_at_what_an_object_names(world: World, recorder: Recorder):
    energy, other = (await world.member("energy")).id, (await world.member("water")).id
    wishes = {
        "by-producer": FilterWish(producers=[energy]), "by-value": FilterWish(values=["evil.example"]),
        "by-both": FilterWish(producers=[energy], values=["evil.example"]),
        "another-producer": FilterWish(producers=[other]), "another-value": FilterWish(values=["good.example"]),
    }  # fmt: skip
    for (name, wish), member in zip(wishes.items(), ["telecoms", "telecoms", "sister", "sister", "agency"], strict=True):
        await subscribe(world.hub, f"https://{name}.example/", member, ordered=True, filter=wish)
    await world.push("energy", obj := indicator(pattern="[domain-name:value = 'www.evil.example']"))
    await world.push("energy", version_of(obj, DAY_2, pattern="[ipv4-addr:value = '203.0.113.7']"))
    await told(world, recorder)
    await delete(world, obj)
    assert await told(world, recorder) == [("deleted", obj["id"])] * 3
    assert {endpoint.url for endpoint, _ in recorder.sent} == {
        f"https://{name}.example/" for name in ("by-producer", "by-value", "by-both")
    }
    assert all(data.keys().isdisjoint({"gone", "version"}) for data in recorder.data)


async def test_of_versions_that_are_gone_only_those_count_that_a_member_saw(world: World, recorder: Recorder):
    for value in ("good.example", "evil.example"):
        await subscribe(world.hub, f"https://{value}/", "water", ordered=True, filter=FilterWish(values=[value]))
    obj = indicator(pattern="[domain-name:value = 'good.example']", **shared_with(release="reciprocal"))
    await world.push("energy", obj)
    world.pass_time(hours=73)  # by then water sees it, and a day later it sees none that came since
    await world.push("energy", version_of(obj, DAY_2, pattern="[domain-name:value = 'evil.example']"))
    assert await told(world, recorder) == [("added", obj["id"])]
    world.pass_time(hours=24)
    await delete(world, obj)
    assert await told(world, recorder) == [("deleted", obj["id"])]
    assert {endpoint.url for endpoint, _ in recorder.sent} == {"https://good.example/"}


class Interrupted(Watched):
    """A database in which something else is done just before an object is deleted for the first time."""

    def __init__(self, inner: Database, first: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(inner)
        self._first: Callable[[], Awaitable[Any]] | None = first

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        if work.__name__ == "delete" and self._first is not None:
            first, self._first = self._first, None
            await first()
        return await super().write(work, *args, **kwargs)


async def test_a_deletion_of_what_was_narrowed_just_before_is_told_to_who_sees_the_narrower(world: World, recorder: Recorder):
    group = await add_group(world.hub, COMMAND_LINE, slug="circle", name="Circle", members=["energy", "water"])
    for slug in ("telecoms", "water"):
        await subscribe(world.hub, f"https://{slug}.example/", slug, ordered=True, filter=INDICATORS)
    await world.push("energy", obj := indicator())
    assert await told(world, recorder) == [("added", obj["id"])] * 2
    narrower = version_of(obj, DAY_2, object_marking_refs=[group.id])
    inner = world.hub.db
    world.hub.db = Interrupted(inner, lambda: world.push("energy", narrower))
    await delete(world, obj)
    assert [event for event, _ in await told(world, recorder)] == ["deleted"] * 2
    assert {endpoint.url for endpoint, _ in recorder.sent} == {"https://water.example/"}


async def test_an_older_version_that_comes_again_is_told_as_updated_to_who_was_told_of_it(world: World, recorder: Recorder):
    group = await add_group(world.hub, COMMAND_LINE, slug="circle", name="Circle", members=["energy", "telecoms"])
    await subscribe(world.hub, URL, "telecoms", ordered=True, filter=INDICATORS)
    only_added = FilterWish(types=["indicator"], events=[EventKind.ADDED])
    await subscribe(world.hub, "https://added.example/", "telecoms", ordered=True, filter=only_added)
    narrowed, shortened = indicator(), indicator()
    await world.push("energy", narrowed, shortened)
    await world.push("energy", version_of(shortened, DAY_2))
    assert len(await told(world, recorder)) == 5
    await world.push("energy", version_of(narrowed, DAY_2, object_marking_refs=[group.id]))
    assert await told(world, recorder) == [("updated", narrowed["id"])] * 2, "the newer version, and the older one under both labels"
    await delete(world, shortened, versions=VersionMatch())
    assert await told(world, recorder) == [("updated", shortened["id"]), ("deleted", shortened["id"])]


async def test_an_older_version_that_comes_again_is_told_as_added_to_who_was_not_told_of_it(world: World, recorder: Recorder):
    group = await add_group(world.hub, COMMAND_LINE, slug="circle", name="Circle", members=["energy", "water", "telecoms"])
    for slug in ("water", "telecoms"):  # and telecoms may read the collection only later
        await subscribe(world.hub, f"https://{slug}.example/", slug, ordered=True, filter=INDICATORS)
    objects = [indicator() for _ in range(PAGE + 1)]  # so that some are read in a second stretch
    await world.push("energy", *objects, to="private")
    await world.push("energy", *(version_of(obj, DAY_2, object_marking_refs=[group.id]) for obj in objects), to="private")
    await grant_right(world.hub, COMMAND_LINE, await collection(world, "private"), Right.READ, "member:telecoms")
    await told(world, recorder)
    for slug in ("water", "telecoms"):
        events = [(data["event"], data["object_id"]) for endpoint, data in recorder.told if slug in endpoint.url]
        assert Counter(events) == {(event, obj["id"]): 1 for obj in objects for event in ("added", "updated")}


async def test_what_an_agreement_opens_by_its_start_is_told_then_though_nothing_else_happens(world: World, recorder: Recorder):
    start_us = world.now_us + 600_000_000
    await add_agreement(
        world.hub, COMMAND_LINE, slug="cni", title="CNI", parties=["kind:operator"], legal_basis="A memorandum", purpose="Defence",
        starts_us=start_us, ends_us=2 * start_us, review_us=2 * start_us, signatories=[Signature("water", "Ann", "Director", world.now_us)],
    )  # fmt: skip
    added = await subscribe(world.hub, URL, "water", filter=INDICATORS)
    await change_collection(world.hub, COMMAND_LINE, await collection(world, "shared"), agreement="cni")
    await world.push("energy", indicator())
    fan_out, looks = FanOut(world.hub), (start_us - 1, start_us)
    counts = []
    for world.now_us in looks:
        while await fan_out.round():
            pass
        counts.append(len(await log_of(world.hub, added)))
    assert counts == [0, 1]


async def test_of_what_several_gave_alike_only_the_last_deletion_is_told(world: World, recorder: Recorder):
    await subscribe(world.hub, URL, "telecoms", ordered=True, filter=FilterWish(types=["domain-name"]))
    obj = domain_name()
    for slug in ("energy", "water", "agency"):
        await world.push(slug, obj)
    assert await told(world, recorder) == [("added", obj["id"])]
    await delete(world, obj, slug="water")
    assert await told(world, recorder) == [], "what is held beside is in nobody's view"
    await delete(world, obj, slug="energy")
    assert await told(world, recorder) == [("updated", obj["id"])], "it comes again, in the agency's name"
    await delete(world, obj, slug="agency")
    assert await told(world, recorder) == [("deleted", obj["id"])]


@pytest.mark.parametrize("slugs", [("agency", "energy"), ("energy", "agency")])
async def test_of_equal_copies_each_is_told_what_comes_to_its_own_view_and_goes_from_it(
    world: World, recorder: Recorder, slugs: tuple[str, str]
):
    """A regulator sees what agencies share and not what operators do: one copy is in its view, the first or the second."""
    await add_member(world.hub, COMMAND_LINE, slug="regulator", name="The Regulator", kind=MemberKind.REGULATOR)
    for slug in ("telecoms", "regulator"):
        await subscribe(world.hub, f"https://{slug}.example/", slug, ordered=True, filter=FilterWish(types=["domain-name"]))
    obj, events = domain_name(), dict[str, list[str]]()
    for step in ("push", "delete"):
        for slug in slugs:
            await (world.push(slug, obj) if step == "push" else delete(world, obj, slug=slug))
            await told(world, recorder)
            for (endpoint, _), data in zip(recorder.sent, recorder.data, strict=True):
                events.setdefault(endpoint.url, []).append(data["event"])
    assert events == {
        "https://telecoms.example/": ["added", "updated", "deleted"], "https://regulator.example/": ["added", "deleted"],
    }  # fmt: skip


async def test_a_copy_under_a_new_label_that_comes_just_before_a_deletion_takes_its_place(world: World, recorder: Recorder):
    await subscribe(world.hub, URL, "telecoms", ordered=True, filter=FilterWish(types=["domain-name"]))
    await world.push("energy", obj := domain_name())
    assert await told(world, recorder) == [("added", obj["id"])]
    inner = world.hub.db
    world.hub.db = Interrupted(inner, lambda: world.push("agency", obj))
    await delete(world, obj)
    assert await told(world, recorder) == [("updated", obj["id"])]
