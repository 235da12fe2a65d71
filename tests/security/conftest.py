"""The hubs of other tests: `site` on SQLite, `either_site` and `hooked` on both databases, and the paths of their collections."""

from tests.taxii.conftest import (  # noqa: F401 - these are fixtures
    advisories,
    dropbox,
    either_site,
    private,
    second,
    shared,
    site,
)
from tests.webhooks.conftest import hooked, receiver  # noqa: F401
