"""What an append changes: which versions are new, which entries the feed gains, which it moves.

Pure: `hub.store.append` reads the state that it needs and writes what it says. Rules:

* The first accepted version's producer owns an id; its `created` and `created_by_ref` never change (STIX 2.1 §3.6), nor does to whom
  the producer is known: a version by name would tell who gave the others.
* Deterministic objects and marking definitions belong to nobody: each producer's copy is a lineage of its own. One that equals what is in
  the feed, under a label that differs in the producer's kind at most, is held beside that; when that one is deleted, it takes its place.
* An equal version with equal content changes nothing; with other content it is refused, naming both digests.
* A version older than one under another label is narrowed: its entry comes anew under both labels, so that a grant of either
  puts it in front of every cursor, and who lost one of them is not served it any more. A looser version loosens nothing older.
* A producer may mark its latest version more loosely than the one before; that is told (`Lowering`), so that it leaves a trace.
"""

import hashlib
from dataclasses import dataclass, field

import msgspec

from hub.domain.feed import first_date
from hub.domain.ids import LabelId, MemberId
from hub.domain.label import Attribution, Label
from hub.domain.labelling import loosens
from hub.domain.stix import StixObject
from hub.domain.timestamp import at_any_precision, format_timestamp

_LABELS_PER_COLLECTION = 2**32


@dataclass(slots=True)
class LabelState:
    """A label of the collection and its counters."""

    id: LabelId
    number: int
    digest: bytes
    canonical: str  # "" where narrowed
    parts: tuple[LabelId, ...]  # the plain labels; itself alone where plain
    entries: int = 0
    last_us: int = 0
    bytes_max: int = 0
    new: bool = False
    changed: bool = False


class EntryState(msgspec.Struct):
    """An entry of the collection's feed."""

    version_us: int
    version: "VersionState"
    date_us: int
    label: LabelState
    ordinal: int
    bytes: int
    superseded_us: int | None
    new: bool = False  # to be inserted; otherwise it is stored
    superseded_now: bool = False  # stored, and to be updated
    moved_from: "EntryState | None" = None  # the stored entry of the same version, or of an equal copy, in whose place it comes


class EqualCopy(msgspec.Struct, frozen=True):
    """How a version is to be entered when the equal entry of another producer, which serves for both, is deleted."""

    label: LabelState
    bytes: int


class VersionState(msgspec.Struct):
    """A version of an object, stored or new."""

    version_us: int
    digest: bytes
    row: int | None  # None: new
    deleted_us: int | None = None  # when it was deleted from this collection
    beside: EqualCopy | None = None  # where it is held in this collection beside another producer's equal entry; then it has none itself
    incoming: "Incoming | None" = None  # what it is made from, where new


class LineageState(msgspec.Struct):
    """An object's id with its owner, and what is known of its versions and its entries in the collection."""

    stix_id: str
    lineage: str
    type: str
    owner: MemberId
    created: str | None
    created_by_ref: str | None
    attribution: Attribution = Attribution.EVERYONE  # to whom its owner is known; never changes
    row: int | None = None  # None: new
    versions: dict[int, VersionState] = msgspec.field(default_factory=dict)
    entries: list[EntryState] = msgspec.field(default_factory=list)  # by version

    @property
    def held_beside(self) -> list[VersionState]:
        """The versions that are held beside another producer's equal entry; one at most, as copies have no versions."""
        return [version for version in self.versions.values() if version.beside is not None]

    def sort(self) -> None:
        """Put the entries in the order of their versions."""
        self.entries.sort(key=lambda entry: entry.version_us)


class Incoming(msgspec.Struct, frozen=True):
    """An object that passed validation, with the label that it is to have."""

    object: StixObject
    label: Label
    producer: MemberId
    kids: tuple[str, ...] = ()  # of the producer's keys whose signatures on it were verified
    sent_with: str | None = None  # of the producer's key whose signature on the message that brings it was; None: that has none

    @property
    def lineage(self) -> str:
        """Of the object: the producer where it belongs to nobody, else empty."""
        return self.producer if is_ownerless(self.object) else ""

    @property
    def vouched_by(self) -> tuple[tuple[str, bool], ...]:
        """The keys that vouch for it, each once, and whether it is the object that is signed with it; otherwise the message alone is."""
        of_object = tuple((kid, True) for kid in self.kids)
        return of_object if self.sent_with is None or self.sent_with in self.kids else (*of_object, (self.sent_with, False))


@dataclass(frozen=True, slots=True)
class Lowering:
    """A version that came as the latest and is marked more loosely than the latest before it."""

    stix_id: str
    version_us: int
    before: Label
    after: Label


def _is_same_moment(one: str | None, other: str | None) -> bool:
    return one == other or (one is not None and other is not None and at_any_precision(one) == at_any_precision(other))


def _way_out(obj: StixObject, what: str) -> str:
    """Say how to bring what cannot come under this version."""
    return f"{what} with a newer `modified`" if obj.modified is not None else f"it has no versions: {what} under another id"


def is_ownerless(obj: StixObject) -> bool:
    """Whether an object belongs to nobody: cyber-observables (no `created`) and marking definitions."""
    return obj.created is None or obj.type == "marking-definition"


@dataclass(slots=True)
class Batch:
    """The state of one collection while a batch is appended to it."""

    collection_row: int
    clock_us: int
    label_count: int
    revision: int  # of the directory
    now_us: int
    labels: dict[bytes, LabelState]  # by digest
    lineages: dict[tuple[str, str], LineageState]  # by (STIX id, lineage)
    identity_owners: dict[str, MemberId]  # who owns the identities that the batch sends or names in created_by_ref
    withdrawn: list[int] = field(default_factory=list)  # dates of stored entries that were moved
    appended: list[tuple[LineageState, EntryState]] = field(default_factory=list)
    new_lineages: list[LineageState] = field(default_factory=list)
    new_versions: list[tuple[LineageState, VersionState]] = field(default_factory=list)
    vouched: list[tuple[VersionState, Incoming]] = field(default_factory=list)  # those of the new versions for which a key vouches
    lowered: list[Lowering] = field(default_factory=list)
    put_beside: list[VersionState] = field(default_factory=list)  # equal copies that came, and are not entered
    taken_over: list[VersionState] = field(default_factory=list)  # equal copies that were held so, and are entered now
    _copies: dict[str, list[LineageState]] = field(default_factory=dict)  # all producers' lineages of ownerless objects, by STIX id
    _by_id: dict[LabelId, LabelState] = field(default_factory=dict)
    _plain: dict[Label, LabelState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_id = {state.id: state for state in self.labels.values()}
        for lineage in self.lineages.values():
            if lineage.lineage:
                self._copies.setdefault(lineage.stix_id, []).append(lineage)

    def add(self, incoming: Incoming) -> tuple[str, str | None]:
        """Take one object; return its version, and why it was refused, or None."""
        obj = incoming.object
        key = (obj.id, incoming.lineage)
        lineage = self.lineages.get(key)
        refusal = self._refusal(incoming, lineage)
        if refusal is not None:
            return self._version_text(obj, lineage), refusal
        equal = self._equal_entry(incoming) if incoming.lineage else None
        return self._append(incoming, lineage or self._begin(incoming), equal)

    def _begin(self, incoming: Incoming) -> LineageState:
        obj = incoming.object
        known_to = incoming.label.attribution
        lineage = LineageState(obj.id, incoming.lineage, obj.type, incoming.producer, obj.created, obj.created_by_ref, known_to)
        self.lineages[obj.id, incoming.lineage] = lineage
        self.new_lineages.append(lineage)
        if incoming.lineage:
            self._copies.setdefault(obj.id, []).append(lineage)
        elif obj.type == "identity":
            self.identity_owners[obj.id] = incoming.producer  # for what other producers have in this batch
        return lineage

    def _append(self, incoming: Incoming, lineage: LineageState, equal: EntryState | None) -> tuple[str, str | None]:
        obj = incoming.object
        version_us = obj.version_us
        if version_us is None:
            # No version of its own: the date it was first added, fixed then; that of the equal entry which serves for it.
            first_us = equal.version_us if equal is not None else first_date(self.clock_us, self.now_us)
            version_us = next(iter(lineage.versions), first_us)
        text = obj.version or format_timestamp(version_us)
        version = lineage.versions.get(version_us)
        if version is not None:
            if version.digest != obj.digest:
                return text, (
                    f"conflict: version {text} of this object is held with other content (SHA-256 {version.digest.hex()}, "
                    f"yours is {obj.digest.hex()}); {_way_out(obj, 'send the change')}"
                )
            if version.deleted_us is not None:
                deleted = format_timestamp(version.deleted_us)
                return text, f"deleted: this version was deleted here at {deleted}; {_way_out(obj, 'send it')}"
            if version.beside is not None or any(entry.version_us == version_us for entry in lineage.entries):
                return text, None
        else:
            version = lineage.versions[version_us] = VersionState(version_us, obj.digest, None, incoming=incoming)
            self.new_versions.append((lineage, version))
            if incoming.kids or incoming.sent_with is not None:
                self.vouched.append((version, incoming))
        plain = self._plain_label(incoming.label)
        if equal is not None:
            version.beside = EqualCopy(plain, len(obj.body))
            self.put_beside.append(version)
            return text, None
        self._note_lowering(lineage, version_us, plain, incoming.label)
        self._enter(lineage, version, plain, len(obj.body))
        return text, None

    def reissue(self, lineage: LineageState, entry: EntryState) -> None:
        """Append a stored entry anew, as the latest one: what superseded it was deleted."""
        lineage.entries.remove(entry)
        self.withdrawn.append(entry.date_us)
        again = self._new_entry(lineage, entry.version, entry.label, None, entry.bytes)
        again.moved_from = entry
        lineage.entries.append(again)
        lineage.sort()

    def hand_over(self, lineage: LineageState, entry: EntryState) -> None:
        """Enter a copy that is held beside an entry which was deleted, in its place; the others are then held beside that one.

        One under the same label first, as then whoever saw the entry goes on seeing it; of several, that of the lowest row.
        """
        served = self._for_any_producer(entry.label)
        held = [
            (copy, version, version.beside)
            for copy in self._copies.get(lineage.stix_id, ())
            for version in copy.versions.values()
            if version.beside is not None
            and version.digest == entry.version.digest
            and self._for_any_producer(version.beside.label) == served
        ]
        if not held:
            return
        copy, version, beside = min(held, key=lambda one: (one[2].label.id != entry.label.id, one[1].row))
        version.beside = None
        self.taken_over.append(version)
        again = self._new_entry(copy, version, beside.label, None, beside.bytes)
        again.moved_from = entry
        copy.entries.append(again)

    def _note_lowering(self, lineage: LineageState, version_us: int, plain: LabelState, label: Label) -> None:
        if not lineage.entries or lineage.entries[-1].version_us > version_us or plain.id in lineage.entries[-1].label.parts:
            return
        before = (Label.from_canonical(self._by_id[part].canonical) for part in lineage.entries[-1].label.parts)
        looser = next((earlier for earlier in before if loosens(label, earlier)), None)
        if looser is not None:
            self.lowered.append(Lowering(lineage.stix_id, version_us, looser, label))

    def _enter(self, lineage: LineageState, version: VersionState, plain: LabelState, size: int) -> None:
        if not lineage.entries:
            lineage.entries.append(self._new_entry(lineage, version, plain, None, size))
            return
        newer = [entry for entry in lineage.entries if entry.version_us > version.version_us]
        older = [entry for entry in lineage.entries if entry.version_us < version.version_us]
        label = self._narrowed({plain.id}.union(*(entry.label.parts for entry in newer)))
        entry = self._new_entry(lineage, version, label, min((e.date_us for e in newer), default=None), size)
        for before in older:
            if before.superseded_us is None:
                before.superseded_us = entry.date_us
                before.superseded_now = not before.new
            if plain.id not in before.label.parts:
                self._move(lineage, before, self._narrowed({plain.id, *before.label.parts}))
        lineage.entries.append(entry)
        lineage.sort()

    def _move(self, lineage: LineageState, entry: EntryState, label: LabelState) -> None:
        lineage.entries.remove(entry)
        if entry.new:
            self.appended.remove((lineage, entry))
        else:
            self.withdrawn.append(entry.date_us)
        again = self._new_entry(lineage, entry.version, label, entry.superseded_us, entry.bytes)
        again.moved_from = entry.moved_from if entry.new else entry
        lineage.entries.append(again)

    def _new_entry(
        self, lineage: LineageState, version: VersionState, label: LabelState, superseded_us: int | None, size: int
    ) -> EntryState:
        date_us = first_date(self.clock_us, self.now_us)
        self.clock_us = date_us
        entry = EntryState(version.version_us, version, date_us, label, label.entries, size, superseded_us, new=True)
        label.entries += 1
        label.last_us, label.bytes_max, label.changed = date_us, max(label.bytes_max, size), True
        self.appended.append((lineage, entry))
        return entry

    def _plain_label(self, label: Label) -> LabelState:
        state = self._plain.get(label)
        if state is None:
            state = self._plain[label] = self._label(label.digest(), label.canonical(), ())
        return state

    def _narrowed(self, parts: set[LabelId]) -> LabelState:
        ids = tuple(sorted(parts))
        if len(ids) == 1:
            return self._by_id[ids[0]]
        return self._label(hashlib.sha256(f"parts:{','.join(map(str, ids))}".encode()).digest(), "", ids)

    def _label(self, digest: bytes, canonical: str, parts: tuple[LabelId, ...]) -> LabelState:
        state = self.labels.get(digest)
        if state is None:
            number = self.label_count
            self.label_count += 1
            id = LabelId(self.collection_row * _LABELS_PER_COLLECTION + number)
            state = self.labels[digest] = LabelState(id, number, digest, canonical, parts or (id,), new=True)
            self._by_id[id] = state
        return state

    def _refusal(self, incoming: Incoming, lineage: LineageState | None) -> str | None:
        obj, producer = incoming.object, incoming.producer
        if lineage is not None and lineage.owner == producer and lineage.attribution is not incoming.label.attribution:
            return (
                f"attribution: you gave this object as known to {lineage.attribution}, and not to {incoming.label.attribution}; "
                "that never changes: say the same again, or send it under a new id"
            )
        if incoming.lineage:
            return self._refusal_of_copy(incoming, lineage)
        if obj.id in self._copies:
            return "created: the object of this id is held without `created`, and so without versions; send yours under a new id"
        if lineage is not None and lineage.owner != producer:
            return "not-owner: this id belongs to another producer; refer to the object, or send your own under a new id"
        same = self.lineages.get((obj.id.lower(), ""))
        if same is not None and same.owner != producer:
            return "not-owner: in lower case, which to some readers is the same, this id is another producer's; send yours under a new id"
        if self.identity_owners.get(obj.id, producer) != producer:
            return "not-owner: this identity belongs to another member"
        if obj.created_by_ref is not None and self.identity_owners.get(obj.created_by_ref, producer) != producer:
            return "not-owner: created_by_ref is an identity that another member owns; name your own identity"
        if lineage is not None and not _is_same_moment(lineage.created, obj.created):
            return f"created: {obj.created} differs from {lineage.created} of the earlier version; `created` never changes"
        if lineage is not None and lineage.created_by_ref != obj.created_by_ref:
            return "created_by_ref: differs from the earlier version; it never changes"
        return None

    def _refusal_of_copy(self, incoming: Incoming, lineage: LineageState | None) -> str | None:
        """Return why a copy of what belongs to nobody is refused."""
        obj, producer = incoming.object, incoming.producer
        owned = self.lineages.get((obj.id, ""))
        if owned is not None and owned.owner != producer:
            return "not-owner: this id belongs to another producer; refer to the object, or send your own under a new id"
        if owned is not None:
            return "created: you gave the object of this id with `created` and `modified`; send them again"
        if lineage is not None and not _is_same_moment(lineage.created, obj.created):
            return f"created: {obj.created} differs from {lineage.created} of what you gave before; `created` never changes"
        author = self.identity_owners.get(obj.created_by_ref, producer) if obj.created_by_ref is not None else producer
        if author == producer or any(
            copy.owner == author and obj.digest in (version.digest for version in copy.versions.values())
            for copy in self._copies.get(obj.id, ())
        ):
            return None
        return (
            "not-owner: created_by_ref is an identity that another member owns; pass on its object as that member gave it, "
            "or name your own identity"
        )

    def _equal_entry(self, incoming: Incoming) -> EntryState | None:
        """Return an entry of an equal copy in the collection, under a label that differs in the kind of producer at most."""
        wanted = incoming.label.for_any_producer()
        equal = (
            entry
            for copy in self._copies.get(incoming.object.id, ())
            for entry in copy.entries
            if entry.version.digest == incoming.object.digest and self._for_any_producer(entry.label) == wanted
        )
        return next(equal, None)

    def _for_any_producer(self, label: LabelState) -> Label:
        # Copies have no versions that could narrow one another, so their labels are plain.
        return Label.from_canonical(label.canonical).for_any_producer()

    def _version_text(self, obj: StixObject, lineage: LineageState | None) -> str:
        if obj.version is not None:
            return obj.version
        known = next(iter(lineage.versions), None) if lineage else None
        return format_timestamp(known if known is not None else first_date(self.clock_us, self.now_us))
