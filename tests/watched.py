"""A database in which something happens around its writes."""

from typing import Any

from hub.store.database import Database


class Watched(Database):
    """Passes all on to another database. Who watches overrides what it is about."""

    def __init__(self, inner: Database) -> None:
        self.inner, self.dialect = inner, inner.dialect

    def read(self) -> Any:
        return self.inner.read()

    def snapshot(self) -> Any:
        return self.inner.snapshot()

    async def close(self) -> None:
        await self.inner.close()

    @property
    def writing(self) -> int:  # type: ignore[override]
        return self.inner.writing

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        return await self.inner.write(work, *args, **kwargs)
