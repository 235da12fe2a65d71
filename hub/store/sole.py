"""One process at a time that serves an SQLite database: what it finds taken when it starts, it takes for a killed one's."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from hub.errors import ConfigError


@contextlib.contextmanager
def sole(path: Path) -> Iterator[None]:
    """Be the only process that serves the database in this file, if it is there, for as long as the context lasts.

    Raises:
        ConfigError: another one serves it.
    """
    if not path.is_file():
        yield
        return
    # Closed after the database is: to close any descriptor of its file lets go of what SQLite has locked there.
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            raise ConfigError(
                f"another process serves {path}, and SQLite serves one: end that process, or set database_url to PostgreSQL"
            ) from e
        yield
