"""The last checkpoint of the transparency log that this node knows of, in a file: so that a database which was restored from an old
backup is not signed as if nothing had been published since.
"""

import fcntl
from collections.abc import Callable
from pathlib import Path

from hub.errors import Unavailable
from hub.keys.whole import write_whole

FILE = "checkpoint.last"


def read_remembered(path: Path) -> str | None:
    """Return the note in the file; None where there is none yet.

    Raises:
        Unavailable: it cannot be read.
    """
    try:
        return path.read_bytes().decode()  # as it is: reading as text would mend its lines' ends
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as e:
        raise Unavailable(f"cannot read {path}, which holds the last checkpoint that this node knows of", reason=str(e)) from e


def remember(path: Path, note: str, *, unless: Callable[[str], bool] | None = None) -> None:
    """Write a checkpoint, whole or not at all; on return it is on disk.

    Args:
        unless: whether what is there already is to stay. Processes of one node share the file: none looks while another writes.
    Raises:
        Unavailable: it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.with_name(f".{path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            held = read_remembered(path)
            if held is not None and unless is not None and unless(held):
                return
            write_whole(path, note.encode())
    except OSError as e:
        raise Unavailable(f"cannot write {path}, which holds the last checkpoint that this node knows of", reason=str(e)) from e
