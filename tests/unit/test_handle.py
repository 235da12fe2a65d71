"""Handles of items: they stand for rows, and tell nobody of neighbours."""

import uuid
from itertools import pairwise

import pytest

from hub.domain.handle import Handles

HANDLES = Handles.of(b"a secret of the hub, 32 bytes long")


@pytest.mark.parametrize("row", [1, 2, 2**63 - 1])
def test_a_handle_is_a_uuid_that_the_hub_reads_back_however_it_is_written(row: int):
    handle = HANDLES.of_row(row)
    assert str(uuid.UUID(handle)) == handle == HANDLES.of_row(row)
    assert HANDLES.find_row(handle) == HANDLES.find_row(handle.upper()) == row


def test_handles_of_neighbours_have_nothing_in_common():
    handles = [uuid.UUID(HANDLES.of_row(row)).int for row in range(1, 200)]
    assert len(set(handles)) == len(handles)
    assert sorted(handles) != handles
    assert min((one ^ other).bit_count() for one, other in pairwise(handles)) > 30


@pytest.mark.parametrize("text", ["", "7", "nothing", "3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99", Handles.of(b"another secret").of_row(7)])
def test_what_is_no_handle_of_this_hub_stands_for_nothing(text: str):
    assert HANDLES.find_row(text) is None
