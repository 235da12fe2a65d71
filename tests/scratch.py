"""Where tests write: in memory, where this machine has a file system there with room, as thousands of databases a run are written."""

import shutil
import tempfile
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")
_ROOM_MIN = 2 << 30  # bytes; containers have 64 MiB there unless told otherwise


def copy_database(database: Path, directory: Path) -> Path:
    """Copy a SQLite database that nobody writes to, with what it may have left in its write-ahead log; return the copy's path."""
    for part in database.parent.glob(f"{database.name}*"):
        shutil.copy(part, directory / part.name)
    return directory / database.name


def scratch_directory() -> Path:
    """Return a directory for what lives no longer than the run; its path is short, as those of sockets have a limit of some 100 bytes."""
    try:
        if shutil.disk_usage(_IN_MEMORY).free >= _ROOM_MIN:
            with tempfile.TemporaryFile(dir=_IN_MEMORY):
                return _IN_MEMORY
    except OSError:
        pass
    return Path("/tmp")
