"""The hub's rules as pure functions and values: no I/O, no clock, no SQL, no HTTP."""
