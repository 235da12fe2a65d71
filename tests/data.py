"""Where the tests find the public data that is too large, or not ours, to be kept in the repository."""

import gzip
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def find_data(name: str) -> Path:
    """Return the file or folder `name` of the test data, or skip the test where the data is not at hand.

    It is looked for in the folder that HUB_TEST_DATA names, else in `shared/data` beside the checkout.
    """
    folder = os.environ.get("HUB_TEST_DATA")
    root = Path(folder) if folder else Path(__file__).resolve().parents[1].parent / "shared" / "data"
    path = root / name
    if not path.exists():
        pytest.skip(f"the test data {name} is not here: set HUB_TEST_DATA to the folder that holds it")
    return path


def read_documents(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield every JSON document of a data file or folder, unpacked: its name and its bytes, in order of name."""
    path = find_data(name)
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        raw = file.read_bytes()
        if file.name.endswith(".tar.gz"):
            with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
                for member in sorted(archive.getmembers(), key=lambda member: member.name):
                    if member.isfile() and (part := archive.extractfile(member)):
                        yield f"{file.name}/{member.name}", part.read()
        elif file.suffix == ".gz":
            yield file.name, gzip.decompress(raw)
        else:
            yield file.name, raw


def read_cases(name: str) -> list[dict[str, Any]]:
    """Return the rows of a JSON Lines file of the test data."""
    return [json.loads(line) for line in find_data(name).read_text().splitlines() if line]
