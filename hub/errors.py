"""The errors that the hub raises on purpose. This module knows no HTTP: `hub.web.errors` holds the one table code -> status.

HubError
├── Invalid            the request or object is wrong: mend it and send it again
│   ├── NotUnderstood  it could not even be read (malformed JSON, a bad parameter)
│   ├── Unsupported    a media type, content encoding or specification version that the hub does not take
│   └── NotAcceptable  the answer cannot be given in a form that the client accepts
├── Unauthenticated    no credential, or none that is good (any longer)
│   └── Unsigned       the request has to be signed, and is not
├── Withheld           the caller may know of it, but may not do this to it
├── NotFound           no such thing, or none that this caller may know of: one answer for both
├── Conflict           it contradicts what the hub already holds
├── TooLarge           over a named limit
├── TooMany            over a rate limit: come back after `retry_after_s`
├── Unavailable        the hub or its database cannot do it now: try again
└── ConfigError        a fault in settings found at start-up; never reaches a client
"""

from typing import ClassVar


class HubError(Exception):
    """Base of everything the hub raises on purpose; `detail` is safe to show the caller, `context` goes to the log only."""

    code: ClassVar[str] = "internal"

    def __init__(self, detail: str, **context: object) -> None:
        super().__init__(detail)
        self.detail, self.context = detail, context


class Invalid(HubError):
    """The request or object is wrong in itself; `detail` says what to mend."""

    code = "invalid"


class NotUnderstood(Invalid):
    """What was sent could not be read at all: malformed JSON, a malformed parameter."""

    code = "not_understood"


class Unsupported(Invalid):
    """A media type, content encoding or version that the hub does not take."""

    code = "unsupported"


class NotAcceptable(Invalid):
    """The client accepts none of the forms in which the hub can answer."""

    code = "not_acceptable"


class Unauthenticated(HubError):
    """No credential where one is needed, or one that is not (or no longer) good."""

    code = "unauthenticated"


class Unsigned(Unauthenticated):
    """The request itself has to be signed, and is not."""


class Withheld(HubError):
    """The caller may know of the thing, but may not do this to it."""

    code = "withheld"


class NotFound(HubError):
    """No such thing, or none that this caller may know of."""

    code = "not_found"


class Conflict(HubError):
    """It contradicts what the hub already holds."""

    code = "conflict"


class TooLarge(HubError):
    """Over a named limit of the hub."""

    code = "too_large"


class TooMany(HubError):
    """Over a rate limit."""

    code = "too_many"

    def __init__(self, detail: str, *, retry_after_s: int, **context: object) -> None:
        super().__init__(detail, **context)
        self.retry_after_s = retry_after_s


class Unavailable(HubError):
    """The hub cannot do it now, through no fault of the caller's."""

    code = "unavailable"

    def __init__(self, detail: str, *, retry_after_s: int = 5, **context: object) -> None:
        super().__init__(detail, **context)
        self.retry_after_s = retry_after_s


class ConfigError(HubError):
    """A fault in the settings or the installation, found at start-up: says which setting and what to write instead."""

    code = "config"
