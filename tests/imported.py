"""What `tests.processes` has imported before it forks: every command of the hub, and what serves."""

import gc
import importlib
import sys

from hub.__main__ import COMMANDS

for place in COMMANDS.values():
    importlib.import_module(f"hub.cli.{place.module}")
importlib.import_module("hub.store.migrate")
del sys.modules["hub.__main__"]  # which is run

# The collector leaves alone what is here now, so that it does not copy these pages in every process.
gc.collect()
gc.freeze()
