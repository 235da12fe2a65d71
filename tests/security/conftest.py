"""The hub of the TAXII tests: `site` on SQLite, `either_site` on both databases, and the paths of its collections."""

from tests.taxii.conftest import (  # noqa: F401 - these are fixtures
    _prepared,
    advisories,
    dropbox,
    either_site,
    private,
    second,
    shared,
    site,
)
