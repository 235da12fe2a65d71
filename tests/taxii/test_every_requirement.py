"""Every row of the requirements has a test that is named by its id, so that a gap shows."""

import re
from pathlib import Path

import pytest

ROWS = {"x": 19, "a": 10, "s": 9, "c": 5, "r": 28, "w": 11, "q": 26, "p": 20}
# What has no place on a plain connection.
ELSEWHERE = {"x_17": ("tests/web/test_tls.py", "test_a_cipher_without_forward_secrecy_is_refused")}
CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("row", [f"{group}_{number}" for group, count in ROWS.items() for number in range(1, count + 1)])
def test_a_requirement_has_its_test(row: str) -> None:
    if row in ELSEWHERE:
        path, name = ELSEWHERE[row]
        assert f"def {name}(" in (CHECKOUT / path).read_text()
        return
    tests = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert re.search(rf"^async def test_{row}_\w+\(", tests, re.MULTILINE)
