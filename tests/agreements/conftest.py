"""Databases that live as long as a module, as for the histories of the feed."""

from tests.feed.conftest import module_postgresql_url, module_sqlite_url, module_url, runner

__all__ = ["module_postgresql_url", "module_sqlite_url", "module_url", "runner"]
