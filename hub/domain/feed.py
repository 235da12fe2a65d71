"""The feed: when an entry comes into a member's view, and at which date.

Rules:
* Time in a collection is its clock. Dates added are unique multiples of TICK_US that rise in commit order.
* A member's view is ordered by effective date. Per label it is made of segments: `Shift` gives the date added plus a
  delay, `Base` gives a backlog that came into view at once consecutive dates from the moment of the grant.
* The offset within a tick tells delays apart, so no two entries of a view ever have equal dates: paging by date and by
  `next` give the same result.
* What a member's polls observed of its rights is kept (`Observed`); a grant is found when a label that was seen denied is
  seen allowed. Whoever did not poll in between has no cursor that could have passed anything.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from hub.domain.ids import LabelId

TICK_US = 8  # a date added is a multiple of this; what lies between is for delays and backlogs
DELAYS_S = (0, 6 * 3600, 24 * 3600, 72 * 3600)  # the delays that policies can give (actions read, readAfter6h, …)
_BACKLOG_OFFSET_US = len(DELAYS_S)  # within a tick, beside the offsets of the delays

OrdinalAfter = Callable[[LabelId, int], Awaitable[int]]
"""(label, date) -> ordinal of the label's first entry with a later date added, or the next ordinal to come."""


def delay_us(delay_s: int) -> int:
    """Return what a delay adds to a date added: the delay itself and an offset that keeps dates of a view unique."""
    return delay_s * 1_000_000 + DELAYS_S.index(delay_s)


def first_date(clock_us: int, now_us: int) -> int:
    """Return the date of the next entry of a collection: now, or just after the last one where the clock stands later."""
    return -(-max(now_us, clock_us + 1) // TICK_US) * TICK_US


@dataclass(frozen=True, slots=True)
class Base:
    """A backlog that came into view at `start_us`: effective date = start_us + TICK_US * (ordinal - first)."""

    start_us: int
    first: int  # first ordinal
    end: int  # the ordinal after the last

    @property
    def last_us(self) -> int:
        """The latest effective date that the segment can hold."""
        return self.start_us + TICK_US * (self.end - 1 - self.first)

    def ordinal_after(self, after_us: int) -> int:
        """Return the first ordinal whose effective date is later than `after_us`."""
        return self.first if after_us < self.start_us else min(self.end, self.first + (after_us - self.start_us) // TICK_US + 1)


@dataclass(frozen=True, slots=True)
class Shift:
    """Entries added after `after_us`, up to `until_us`: effective date = date added + delay_us."""

    delay_us: int
    after_us: int = -1
    until_us: int | None = None  # None: goes on

    def horizon_us(self, clock_us: int) -> int:
        """Return the date added up to which entries are in view, where this is a label's last segment."""
        return max(self.after_us, clock_us - self.delay_us)


Segment = Base | Shift
PLAIN: tuple[Segment, ...] = (Shift(0),)
DENIED: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """What a member's polls of a collection observed last.

    Labels numbered below `labels_seen` that are not in `segments` were seen without delay from their first entry on.
    """

    labels_seen: int = 0
    segments: Mapping[LabelId, tuple[Segment, ...]] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the segments as JSON; `from_json` reads it."""
        return json.dumps(
            {
                str(label): [
                    ["b", s.start_us, s.first, s.end] if isinstance(s, Base) else ["s", s.delay_us, s.after_us, s.until_us]
                    for s in segments
                ]
                for label, segments in self.segments.items()
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, labels_seen: int, text: str) -> "Observed":
        """Read what `to_json` wrote."""
        return cls(
            labels_seen,
            {
                LabelId(int(label)): tuple(Base(*s[1:]) if s[0] == "b" else Shift(*s[1:]) for s in segments)
                for label, segments in json.loads(text).items()
            },
        )


@dataclass(frozen=True, slots=True)
class Granted:
    """What policy says of a label now: its delay in `delay_us()` form, or None where the label is denied."""

    label: LabelId
    number: int  # place among the collection's labels
    delay_us: int | None


async def observe(observed: Observed, now: Sequence[Granted], clock_us: int, ordinal_after: OrdinalAfter) -> tuple[Observed, int]:
    """Return what is observed now, and the clock moved past every backlog that came into view.

    Args:
        observed: what was observed last.
        now: what policy says of every label of the collection, by number.
        clock_us: the collection's clock.
        ordinal_after: looks up the ordinal that belongs to a date.
    """
    segments = dict(observed.segments)
    for grant in now:
        before = segments.get(grant.label)
        if before is None and grant.number < observed.labels_seen:
            before = PLAIN
        after, clock_us = await _next_segments(before, grant, clock_us, ordinal_after)
        if after == PLAIN:
            segments.pop(grant.label, None)
        else:
            segments[grant.label] = after
    return replace(observed, labels_seen=max(observed.labels_seen, len(now)), segments=segments), clock_us


async def _next_segments(
    before: tuple[Segment, ...] | None, grant: Granted, clock_us: int, ordinal_after: OrdinalAfter
) -> tuple[tuple[Segment, ...], int]:
    if grant.delay_us is None:
        return DENIED, clock_us
    if before is None:
        # Never observed: no poll could have passed an entry of this label.
        return (Shift(grant.delay_us),), clock_us
    due_us = clock_us - grant.delay_us
    if not before:
        # A new grant: the whole label comes again, for a cursor may have passed what was never fetched.
        return await _backlog((), grant, -1, due_us, clock_us, ordinal_after)
    last = before[-1]
    assert isinstance(last, Shift), "what is visible goes on"
    if last.delay_us == grant.delay_us:
        return before, clock_us
    # A changed delay: what was in view keeps its dates.
    until_us = max(last.after_us, clock_us - last.delay_us)
    kept = (*before[:-1], replace(last, until_us=until_us)) if until_us > last.after_us else before[:-1]
    return await _backlog(kept, grant, until_us, due_us, clock_us, ordinal_after)


async def _backlog(
    kept: tuple[Segment, ...], grant: Granted, after_us: int, due_us: int, clock_us: int, ordinal_after: OrdinalAfter
) -> tuple[tuple[Segment, ...], int]:
    """Put what was added after `after_us` and is due into a base segment just after the clock, the rest under a shift."""
    assert grant.delay_us is not None
    if due_us <= after_us:
        return (*kept, Shift(grant.delay_us, after_us)), clock_us
    first, end = await ordinal_after(grant.label, after_us), await ordinal_after(grant.label, due_us)
    if first < end:
        base = Base(first_date(clock_us, 0) + _BACKLOG_OFFSET_US, first, end)
        kept, clock_us = (*kept, base), base.last_us
    return (*kept, Shift(grant.delay_us, due_us)), clock_us


@dataclass(frozen=True)
class View:
    """What a member may see of a collection: the labels seen plainly, and the segments of the others.

    `plain` labels have every entry in view at its date added. `everything` says that they are all labels there are.
    """

    plain: tuple[LabelId, ...]
    special: Mapping[LabelId, tuple[Segment, ...]]  # none of them empty
    everything: bool

    @classmethod
    def of(cls, observed: Observed, labels: Sequence[tuple[int, LabelId]]) -> "View":
        """Return the view that `observed` allows of labels given as (number, id)."""
        plain = tuple(label for number, label in labels if number < observed.labels_seen and label not in observed.segments)
        special = {label: observed.segments[label] for _, label in labels if observed.segments.get(label)}
        return cls(plain, special, everything=len(plain) == len(labels))

    @cached_property
    def alike(self) -> Sequence[tuple["Segment", "Shift", tuple[LabelId, ...]]]:
        """Each segment of the others, with the last one of its label, and the labels that have these two: they are read alike."""
        found: dict[tuple[Segment, Shift], list[LabelId]] = {}
        for label, segments in self.special.items():
            for segment in segments:
                found.setdefault((segment, _last(segments)), []).append(label)
        return [(segment, last, tuple(labels)) for (segment, last), labels in found.items()]

    @cached_property
    def _plainly(self) -> frozenset[LabelId]:
        return frozenset(self.plain)

    def delayed(self) -> bool:
        """Whether entries come into view as time passes, without anything being appended."""
        return any(isinstance(s[-1], Shift) and s[-1].delay_us for s in self.special.values())

    def has(self, label: LabelId) -> bool:
        """Whether entries of a label come into view, now or after a delay."""
        return label in self._plainly or label in self.special

    def horizon_us(self, label: LabelId, clock_us: int) -> int:
        """Return the date added up to which entries of a label are in view; -1 if the label is not."""
        segments = PLAIN if label in self._plainly else self.special.get(label)
        return _last(segments).horizon_us(clock_us) if segments else -1

    def effective_us(self, label: LabelId, date_us: int, ordinal: int, clock_us: int) -> int | None:
        """Return the effective date of one entry, or None if it is not in view at this clock."""
        segments = PLAIN if label in self._plainly else self.special.get(label, DENIED)
        for segment in segments:
            if isinstance(segment, Base):
                if segment.first <= ordinal < segment.end:
                    return segment.start_us + TICK_US * (ordinal - segment.first)
            elif date_us > segment.after_us and (segment.until_us is None or date_us <= segment.until_us):
                effective = date_us + segment.delay_us
                return effective if effective <= clock_us else None
        return None


def _last(segments: tuple[Segment, ...]) -> Shift:
    last = segments[-1]
    assert isinstance(last, Shift), "what is seen goes on being seen"
    return last
