"""What the parts of the web application find in the application and in a request."""

from aiohttp import web

from hub.config import Config
from hub.domain.directory import Directory
from hub.domain.member import Principal
from hub.errors import HubError
from hub.service.context import Hub

CONFIG = web.AppKey("config", Config)
HUB = web.AppKey("hub", Hub)  # there once the application has started

REQUEST_ID = web.RequestKey("request_id", str)  # in every log line of the request and in its answer
BEGAN = web.RequestKey("began", float)  # when the request began, by time.perf_counter(): an event loop's own clock may be coarse
ROUTE = web.RequestKey("route", str)  # template of the route that the request goes to, such as /taxii2/{root}/; "none" where there is none
ADDRESS = web.RequestKey("address", str)  # of the client itself, as far as trusted proxies tell it
PRINCIPAL = web.RequestKey("principal", Principal)  # set on every request but those for OPEN_PATHS
DIRECTORY = web.RequestKey("directory", Directory)  # as of this request; set where PRINCIPAL is
SENT_WITH = web.RequestKey("sent_with", str)  # thumbprint of the member's key that signed the request; set where it is signed, and verified
IS_ASSUMED = web.RequestKey("is_assumed", bool)  # DIRECTORY was not compared with the database yet: the handler does that
BODY: web.RequestKey[bytes | HubError] = web.RequestKey("body")  # what was sent, or why that cannot be taken; set where it was read
ERROR_CODE = web.RequestKey("error_code", str)  # set where the answer is an error

_LOG_PATHS = ("/log/checkpoint", "/log/key", "/log/tile/entries/{path}", "/log/tile/{level}/{path}")
_KEY_PATHS = ("/.well-known/jwks.json", "/trust/v1/members/{identity}/jwks.json")
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics", *_LOG_PATHS, *_KEY_PATHS})  # all other paths, known or not, take a credential
