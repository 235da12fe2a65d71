"""The tests, and what they share: `tests.postgres` (a real server), `tests.data` (real input)."""
