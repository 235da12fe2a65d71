"""What an operation of the API is, and how a request becomes a call of it.

* A handler gets who asks, the directory as of this request and what was sent, checked; it calls one service function and returns what
  is to be shown.
* A body is read by the hub's one strict JSON reader before its model looks at it; a field that is not known is refused, not ignored.
* The same table makes the routes and the description (`hub.web.api.openapi`).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ValidationError

from hub.domain.directory import Directory
from hub.domain.json import excerpt, read_document
from hub.domain.member import Principal, Role
from hub.errors import Invalid, NotUnderstood, Unsupported
from hub.service.context import Hub
from hub.web.api.models import KeyT, PageQuery
from hub.web.keys import CONFIG, DIRECTORY, HUB, PRINCIPAL
from hub.web.limits import read_body

PREFIX = "/api/v1"
JSON_TYPE = "application/json"
BODY_DEPTH_MAX = 16
FAULTS_TOLD_MAX = 5

Sent = TypeVar("Sent")
T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call(Generic[Sent]):
    """One request for an operation, understood."""

    hub: Hub
    directory: Directory
    principal: Principal
    path: Mapping[str, str]  # the parameters of the path
    sent: Sent  # the body, or the query of an operation that reads; None where it takes neither

    async def after(self) -> Directory:
        """Return the directory with what this call changed."""
        return await self.hub.directory()


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: where it is, who may ask for it at all, what it takes and gives. Its name is its handler's."""

    method: str
    path: str  # below PREFIX
    handler: Callable[[Call[Any]], Awaitable[BaseModel]]
    role: Role = Role.READER  # the least role; what it may be done to is for the service to say
    _: KW_ONLY
    takes: type[BaseModel] | None = None
    gives: type[BaseModel]
    status: HTTPStatus = HTTPStatus.OK
    media_type: str = JSON_TYPE  # of the answer

    @property
    def reads(self) -> bool:
        """Whether it changes nothing; then `takes` describes the query instead of the body."""
        return self.method == hdrs.METH_GET

    def route(self) -> web.RouteDef:
        """Return the route that serves it."""
        return web.get(PREFIX + self.path, self._served()) if self.reads else web.route(self.method, PREFIX + self.path, self._served())

    def _served(self) -> Handler:
        async def serve(request: web.Request) -> web.Response:
            sent = await _read(request, self) if self.takes is not None else None
            call = Call(request.app[HUB], request[DIRECTORY], request[PRINCIPAL], request.match_info, sent)
            answer = await self.handler(call)
            return web.Response(status=self.status, body=answer.model_dump_json().encode(), content_type=JSON_TYPE)

        return serve


@dataclass(frozen=True, slots=True)
class Streaming(Operation):
    """An operation that reads, and whose handler answers by itself, for as long as it likes. `gives` describes one event of the answer."""

    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]  # type: ignore[assignment]

    def route(self) -> web.RouteDef:
        """Return the route that serves it. There is no HEAD of what goes on."""
        return web.get(PREFIX + self.path, self.handler, allow_head=False)


def page(items: Sequence[T], query: PageQuery[KeyT], *, key: Callable[[T], KeyT]) -> tuple[list[T], KeyT | None]:
    """Return the items of a page out of all of them, which are in order of `key`, and the `after` of the next page."""
    rest = [item for item in items if query.after is None or key(item) > query.after]
    found = rest[: query.limit]
    return found, key(found[-1]) if len(rest) > len(found) else None


def read_query(request: web.Request, model: type[ModelT]) -> ModelT:
    """Return the query of a request, checked.

    Raises:
        Invalid: a parameter is unknown, twice there, or not as it should be.
    """
    try:
        return model.model_validate(_single(request))
    except ValidationError as e:
        raise Invalid(_told(e)) from e


async def _read(request: web.Request, operation: Operation) -> BaseModel:
    assert operation.takes is not None, "asked only where something is taken"
    if operation.reads:
        return read_query(request, operation.takes)
    try:
        body = await read_body(request, request.app[CONFIG])
        if request.content_type != JSON_TYPE:
            raise Unsupported(f"Content-Type: the API takes {JSON_TYPE}")
        read_document(body, depth_max=BODY_DEPTH_MAX)
        return operation.takes.model_validate_json(body, strict=True)
    except ValidationError as e:
        raise Invalid(_told(e)) from e


def _single(request: web.Request) -> dict[str, str]:
    twice = [name for name in request.query if len(request.query.getall(name)) > 1]
    if twice:
        raise NotUnderstood(f"the parameter {excerpt(twice[0])} is given twice")
    return dict(request.query)


def _told(error: ValidationError) -> str:
    """Say what is wrong, field by field, without repeating what was sent: it may be a secret."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{_field(fault['loc'])}: {fault['msg']}" for fault in faults[:FAULTS_TOLD_MAX]]
    return "; ".join([*told, f"and {len(faults) - FAULTS_TOLD_MAX} more"] if len(faults) > FAULTS_TOLD_MAX else told)


def _field(location: Sequence[str | int]) -> str:
    return excerpt(".".join(str(part) for part in location))[1:-1] or "body"
