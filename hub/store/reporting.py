"""Requests for reports back, and what members did about them."""

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, insert, select, update

from hub.domain.ids import LabelId, MemberId
from hub.domain.reporting import Receipt, ReportRequest, Wanted, audience_from_json, audience_to_json
from hub.store.database import Change, Connection, Row, among, prepare
from hub.store.tables import table

REQUEST = table("report_request")
RECEIPT = table("report_receipt")

_REQUEST_COLUMNS = ("item_row", "member_id", "stix_id", "collection_row", "label_id", "at_us", "by_us", "audience", "nil_returns")
_RECEIPT_COLUMNS = ("item_row", "member_id", "fetched_us", "reported_us", "outcome", "named")
_REQUESTS = select(*(REQUEST.c[name] for name in _REQUEST_COLUMNS))
_OF_ITEMS = prepare(_REQUESTS.where(among(REQUEST.c.item_row, "items")))
_OPEN = prepare(_REQUESTS.where(REQUEST.c.by_us >= bindparam("now")))
_PAGE = prepare(_REQUESTS.where(REQUEST.c.item_row > bindparam("after")).order_by(REQUEST.c.item_row).limit(bindparam("limit")))
_RECEIPTS = select(*(RECEIPT.c[name] for name in _RECEIPT_COLUMNS))
_RECEIPTS_OF = prepare(_RECEIPTS.where(among(RECEIPT.c.item_row, "items"), among(RECEIPT.c.member_id, "members")))
_ALL_RECEIPTS_OF = prepare(_RECEIPTS.where(RECEIPT.c.item_row == bindparam("item")))
_FIND_RECEIPT = prepare(_RECEIPTS.where(RECEIPT.c.item_row == bindparam("item"), RECEIPT.c.member_id == bindparam("member")))
_SET_FETCHED = prepare(
    update(RECEIPT)
    .where(RECEIPT.c.item_row == bindparam("item"), RECEIPT.c.member_id == bindparam("member"), RECEIPT.c.fetched_us.is_(None))
    .values(fetched_us=bindparam("now"))
)
_ADD_FETCHED = prepare(insert(RECEIPT))


async def list_requests(conn: Connection, items: Sequence[int]) -> list[ReportRequest]:
    """Return the requests of some items."""
    return [_request(row) for row in await conn.fetch(_OF_ITEMS, items=list(items))] if items else []


async def list_open_requests(conn: Connection, now_us: int) -> list[ReportRequest]:
    """Return the requests that can still be answered in time."""
    return [_request(row) for row in await conn.fetch(_OPEN, now=now_us)]


async def page_of_requests(conn: Connection, *, after: int, limit: int) -> list[ReportRequest]:
    """Return requests, the oldest first."""
    return [_request(row) for row in await conn.fetch(_PAGE, after=after, limit=limit)]


async def list_receipts(conn: Connection, items: Sequence[int], members: Sequence[MemberId]) -> list[Receipt]:
    """Return what some members did about the requests of some items."""
    return [_receipt(row) for row in await conn.fetch(_RECEIPTS_OF, items=list(items), members=list(members))] if items else []


async def list_all_receipts(conn: Connection, item: int) -> list[Receipt]:
    """Return what every member did about the request of an item."""
    return [_receipt(row) for row in await conn.fetch(_ALL_RECEIPTS_OF, item=item)]


async def record_fetched(conn: Connection, items: Iterable[int], member: MemberId, now_us: int) -> None:
    """Keep that a member fetched some items, the first time.

    Raises:
        Duplicate: another node does it at the same moment.
    """
    for item in items:
        if await conn.fetch_one(_FIND_RECEIPT, item=item, member=member) is None:
            await conn.execute(
                _ADD_FETCHED, item_row=item, member_id=member, fetched_us=now_us, reported_us=None, outcome="", named=1
            )  # fmt: skip
        else:
            await conn.execute(_SET_FETCHED, item=item, member=member, now=now_us)


def request_changes(requests: Iterable[ReportRequest]) -> list[Change]:
    """Return what is to be written of requests."""
    requests = list(requests)
    changed = ("item_row", "by_us", "audience", "nil_returns")
    return [
        Change(REQUEST, _REQUEST_COLUMNS, [_request_row(one) for one in requests if one.new]),
        Change(
            REQUEST,
            changed,
            [
                (one.item, one.wanted.by_us, audience_to_json(one.wanted.audience), int(one.wanted.nil_returns))
                for one in requests
                if one.changed and not one.new
            ],
            keys=1,
        ),
    ]


def receipt_changes(receipts: Iterable[Receipt]) -> list[Change]:
    """Return what is to be written of reports; when it was fetched is left as it is."""
    receipts = list(receipts)
    changed = ("item_row", "member_id", "reported_us", "outcome", "named")
    rows = [(one.new, (one.item, one.member, one.reported_us, one.outcome, int(one.named))) for one in receipts if one.new or one.changed]
    return [
        Change(RECEIPT, changed, [row for new, row in rows if new]),
        Change(RECEIPT, changed, [row for new, row in rows if not new], keys=2),
    ]


def _request(row: Row) -> ReportRequest:
    item, member, stix_id, collection, label, at_us, by_us, audience, nil_returns = row
    wanted = Wanted(by_us, audience_from_json(audience), bool(nil_returns))
    return ReportRequest(item, MemberId(member), stix_id, collection, LabelId(label), at_us, wanted)


def _request_row(request: ReportRequest) -> tuple[object, ...]:
    wanted = request.wanted
    return (
        request.item, request.member, request.stix_id, request.collection_row, request.label, request.at_us, wanted.by_us,
        audience_to_json(wanted.audience), int(wanted.nil_returns),
    )  # fmt: skip


def _receipt(row: Row) -> Receipt:
    item, member, fetched_us, reported_us, outcome, named = row
    return Receipt(item, MemberId(member), fetched_us, reported_us, outcome, bool(named))
