from collections.abc import Callable

import pytest

from hub.errors import HubError, NotAcceptable, Unsupported
from hub.web.negotiate import refuse_unacceptable, refuse_unsupported

SERVED = [
    None,
    "",
    "*/*",
    "application/*",
    "application/taxii+json",
    "application/taxii+json;version=2.1",
    "application/taxii+json; version=2.1",
    "application/taxii+json ; version = 2.1",
    'application/taxii+json;version="2.1"',
    "APPLICATION/TAXII+JSON;VERSION=2.1",
    "application/taxii+json;version=2.1;q=0.1",
    "application/taxii+json;q=0.3;version=2.1",
    "application/taxii+json;version=2.1;charset=utf-8",
    "text/html, application/taxii+json",
    'text/plain;note="a,b;c", application/taxii+json;version=2.1',
    "application/json, text/plain, */*",
    "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "application/taxii+json;version=2.0, application/taxii+json;version=2.1",
    "application/taxii+json;version=2.1, application/stix+json;version=2.1",
    "application/stix+json;version=2.1",
    "application/taxii+json;q=0, application/taxii+json;version=2.1",
    "*/*;q=0, application/taxii+json",
    "application/taxii+json;q=nonsense",
    ",,application/taxii+json,,",
    "application/taxii+json,;,;;",
]
REFUSED = [
    "application/taxii+json;version=2.0",
    "application/taxii+json;version=2.10",
    "application/taxii+json;version=",
    "application/vnd.oasis.taxii+json",
    "application/vnd.oasis.taxii+json; version=2.0",
    "application/vnd.oasis.stix+json; version=2.0",
    "application/stix+json;version=2.0",
    "application/json",
    "text/html",
    "text/*",
    "application/taxii+json;q=0",
    "*/*;q=0",
    "application/taxii+json;version=2.1;q=0, application/stix+json;q=0, */*",
    "application/xtaxii+json",
    "nonsense",
    ";",
    '"application/taxii+json',
]


def passes(refuse: Callable[[str | None], None], header: str | None) -> bool:
    try:
        refuse(header)
    except HubError:
        return False
    return True


@pytest.mark.parametrize("accept", SERVED)
def test_what_leaves_room_for_taxii_21_is_served(accept: str | None) -> None:
    assert passes(refuse_unacceptable, accept)


@pytest.mark.parametrize("accept", REFUSED)
def test_what_leaves_no_room_for_taxii_21_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable, match=r"application/taxii\+json;version=2\.1.*TAXII 2\.0"):
        refuse_unacceptable(accept)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/taxii+json",
        "application/taxii+json;version=2.1",
        "application/taxii+json; version=2.1",
        'Application/TAXII+JSON;Version="2.1"',
        "application/taxii+json;version=2.1;charset=UTF-8",
        "application/stix+json",
        "application/stix+json;version=2.1",
    ],
)
def test_taxii_and_stix_are_taken(content_type: str) -> None:
    assert passes(refuse_unsupported, content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/taxii+json;version=2.0",
        "application/vnd.oasis.taxii+json",
        "application/vnd.oasis.stix+json;version=2.0",
        "application/stix+json;version=2.0",
        "application/json",
        "text/plain",
        "application/taxii+json;charset=latin-1",
        "application/taxii+json, application/taxii+json",
        "*/*",
        "application/*",
    ],
)
def test_other_bodies_are_refused(content_type: str | None) -> None:
    with pytest.raises(Unsupported, match=r"application/taxii\+json;version=2\.1"):
        refuse_unsupported(content_type)


def test_a_long_header_is_read_in_linear_time() -> None:
    for piece in ('"', "a;", 'a/b;"', "\\", ",", '"\\'):
        with pytest.raises(NotAcceptable):
            refuse_unacceptable(piece * (60_000 // len(piece)) + "x")
