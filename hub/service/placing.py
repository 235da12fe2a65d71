"""In the append of what is given anonymously: its renditions are made and kept, to be appended later by the hub (`hub.service.renditions`).

Nothing is lost in between, as what is to be done is in the accepting transaction; and nothing of what is kept says by which push it came.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.domain.anonymity import Draft, due_us, next_version_us
from hub.store.anonymity import RenditionVersion, StoredRendition, find_renditions, find_versions, rendition_changes
from hub.store.database import Change, Connection


@dataclass(slots=True)
class Placing:
    """The renditions that an append to one collection makes."""

    collection_row: int
    now_us: int
    known: dict[str, StoredRendition]  # by STIX id
    versions: dict[str, int]  # by the token of the original's version
    pseudonyms: dict[str, str] = field(default_factory=dict)  # of originals that are placed
    _new: set[str] = field(default_factory=set)
    _changed: set[str] = field(default_factory=set)
    _made: list[RenditionVersion] = field(default_factory=list)
    _work: list[tuple[int, str, str, int]] = field(default_factory=list)

    def refusal(self, draft: Draft) -> str | None:
        """Return why a version cannot be rendered: it comes after a newer one, and the rendition's times only rise."""
        held = self.known.get(draft.id)
        if held is None or draft.token in self.versions or draft.source.version_us is None:
            return None
        latest_us = draft.pseudonyms.unseal(draft.id, held.sealed).version_us
        if latest_us is not None and draft.source.version_us < latest_us:
            return "attribution: a newer version was given anonymously before; versions have to come in their order"
        return None

    def place(self, draft: Draft) -> None:
        """Keep the rendition of a version that the batch brings to the collection."""
        self.pseudonyms[draft.source.stix_id] = draft.id
        if draft.token not in self.versions:
            self._make(draft)
        self._work.append((self.collection_row, draft.token, draft.label.canonical(), due_us(self.now_us)))

    def changes(self) -> list[Change]:
        """Return what is to be written."""
        new = [self.known[id] for id in sorted(self._new)]
        changed = [self.known[id] for id in sorted(self._changed)]
        return rendition_changes(new, changed, self._made, self._work)

    def _make(self, draft: Draft) -> None:
        held = self.known.get(draft.id)
        version_us = next_version_us(held.version_us if held is not None else None, self.now_us)
        created_us = version_us if held is None else held.created_us
        self.known[draft.id] = StoredRendition(draft.id, created_us, version_us, draft.sealed())
        self.versions[draft.token] = version_us
        if held is None:
            self._new.add(draft.id)
        elif draft.id not in self._new:
            self._changed.add(draft.id)
        self._made.append(RenditionVersion(draft.token, draft.id, version_us, draft.at(created_us, version_us).body))


async def load_placing(conn: Connection, collection_row: int, drafts: Sequence[Draft], now_us: int) -> Placing:
    """Read what is known of the renditions that come."""
    known = await find_renditions(conn, {draft.id for draft in drafts})
    versions = await find_versions(conn, {draft.token for draft in drafts}) if known else {}
    return Placing(collection_row, now_us, known, versions)
