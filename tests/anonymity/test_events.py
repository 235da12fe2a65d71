"""Events name no producer that is not to be known, and no filter finds out which one it was."""

import json

from hub.domain.webhooks.subscription import Format
from hub.service.subscriptions import FilterWish
from tests.anonymity.test_nothing_gets_out import traces_of
from tests.anonymity.world import Anonymous, hidden
from tests.taxii.content import DAY_2, indicator, version_of
from tests.webhooks.hooks import subscribe
from tests.webhooks.recorder import Recorder, send_all


async def test_events_about_renditions_hold_no_trace_of_their_producer_nor_does_a_filter_by_it_find_them(either_anonymous: Anonymous):
    hub, recorder = either_anonymous.world.hub, Recorder()
    hub.hold_sends(recorder)
    first, by_name = indicator(**hidden()), indicator(name="by name")
    await subscribe(hub, "https://water.example/", "water", full=True)
    await subscribe(hub, "https://cards.example/", "water", full=True, format=Format.SLACK)
    energy = await either_anonymous.world.member("energy")
    await subscribe(hub, "https://telecoms.example/", "telecoms", filter=FilterWish(producers=[energy.id]))
    await either_anonymous.give(first, by_name)
    await either_anonymous.give(version_of(first, DAY_2))
    await send_all(hub)
    await either_anonymous.delete(first)
    await send_all(hub)
    to = {host: [message for endpoint, message in recorder.sent if host in endpoint.url] for host in ("water", "cards", "telecoms")}
    told = [json.loads(message.body)["data"] for message in to["water"]]
    (rendition,) = {data["object_id"] for data in told if data["event"] in ("updated", "deleted")}
    assert {"added", "updated", "deleted"} == {data["event"] for data in told}
    assert rendition != first["id"]
    hidden_from = b"".join(message.body for message in to["water"] + to["cards"] if by_name["id"].encode() not in message.body)
    for trace in await traces_of(either_anonymous, [first]):
        assert trace.encode() not in hidden_from
    assert [json.loads(message.body)["data"]["object_id"] for message in to["telecoms"]] == [by_name["id"]]
