"""The schema, as SQLModel classes. Neither the domain's values nor what goes over the wire.

Rules:
* Columns are of kinds that both drivers take as they are: whole numbers, texts, bytes. Times are whole microseconds since
  the epoch (`_us`), JSON is text, truth is 0 or 1.
* Every constraint has a name, by the naming convention below.
* `version.body` is the truth; all else about an object can be computed from it again.
"""

from sqlalchemy import Table
from sqlmodel import SQLModel

from hub.store.tables import (  # noqa: F401 - each fills the metadata
    agreements,
    anonymity,
    changes,
    exchange,
    ledger,
    nonces,
    tlog,
    trust,
    webhooks,
)


def table(name: str) -> Table:
    """Return a table of the schema by its name."""
    return SQLModel.metadata.tables[name]
