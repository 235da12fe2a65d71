"""What is appended: a push, or a stretch of one that is finished later; and the line of pushes that wait for a collection."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from hub.domain.anonymity import Draft
from hub.domain.appending import Incoming
from hub.domain.ids import AgreementId, MemberId
from hub.domain.marking import MarkingMeaning
from hub.domain.taxii import Outcome
from hub.store.pushes import Push


class Checked(msgspec.Struct, frozen=True):
    """An object of a push after all that can be done without the database."""

    incoming: Incoming | None  # None: refused, or nothing to append
    outcome: Outcome  # as far as it is known; the version of an object without one is known when it is appended
    meaning: MarkingMeaning | None = None  # of a marking definition
    rendition: Draft | None = None  # what those get of it who may not know its producer


@dataclass(slots=True, eq=False)
class Stretch:
    """Objects of a push that are appended in one transaction, and what became of them."""

    push: Push
    checked: Sequence[Checked]
    member_ids: frozenset[MemberId]
    agreement: AgreementId | None  # the basis on which it was taken; None: the terms of membership
    assumed: int | None = None  # revision of the directory that it was judged by, where nobody has compared that with the one in force
    outcomes: list[Outcome] | None = None  # None: not appended
    is_in_doubt: bool = False  # nobody can say whether it was appended


@dataclass(slots=True)
class Line:
    """The pushes that wait to be appended to one collection by this process, in their order; each is one stretch."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[Stretch] = field(default_factory=list)

    def take(self, first: Stretch, objects_max: int) -> list[Stretch]:
        """Take a push out of the line, and as many of the first that wait as have so many objects together at most."""
        self.waiting.remove(first)
        taken = [first]
        room = objects_max - len(first.checked)
        while self.waiting and len(self.waiting[0].checked) <= room:
            taken.append(self.waiting.pop(0))
            room -= len(taken[-1].checked)
        return taken
