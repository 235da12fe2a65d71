"""Whether sharing pays: what a member loses by keeping its reports to itself, against what a report costs it.

A share `phi` of the value is free to everybody at once, who does not share waits `D` for the rest, and value halves every `h`. A member
shares where `V * q * (1 - phi) * (1 - 2 ** (-D / h)) > c`: V the value to it of all that the others know, q the quality of what is shared,
c the cost of sharing. The formula says how long the lowest tier has to wait; `sharing_at_rest` plays it out, item by item.
"""

import random
from dataclasses import dataclass

_ITEMS = 20_000  # enough that drawing which ones are free errs by less than half a percent
_ROUNDS_MAX = 100


@dataclass(frozen=True, slots=True)
class Exchange:
    """What an exchange offers to who shares and to who does not."""

    quality: float  # 0 to 1, mean of what is shared
    free_share: float  # 0 to 1, of the value, that nobody is refused: the safety floor
    delay_h: float  # hours that who does not share waits for the rest
    half_life_h: float  # hours in which what is told loses half of its value


def break_even(exchange: Exchange) -> float:
    """Return the value of all that the others know, in units of the cost of sharing, above which sharing pays."""
    return 1 / (exchange.quality * (1 - exchange.free_share) * (1 - 2 ** (-exchange.delay_h / exchange.half_life_h)))


def sharing_at_rest(exchange: Exchange, value: float, *, firms: int, seed: int) -> float:
    """Return the share of firms that share when none would gain by changing its mind, having begun with all of them sharing.

    Every firm in its turn does what pays it more, against what the others do at that moment: it adds up the items that they share, each
    at the value that is left of it when the firm receives it.

    Args:
        value: of all that the other firms know, to each firm, in units of the cost of sharing.
    """
    chance = random.Random(seed)  # noqa: S311  (a simulation, nothing to be guessed)
    delays_h = [0.0 if chance.random() < exchange.free_share else exchange.delay_h for _ in range(_ITEMS)]
    worth = value * exchange.quality / _ITEMS
    at_once = sum(worth for _ in delays_h)
    later = sum(worth * 2 ** (-delay_h / exchange.half_life_h) for delay_h in delays_h)
    sharing = [True] * firms
    for _ in range(_ROUNDS_MAX):
        before = list(sharing)
        for firm in range(firms):
            known = (sum(sharing) - sharing[firm]) / (firms - 1)
            sharing[firm] = known * at_once - 1 > known * later
        if sharing == before:
            break
    return sum(sharing) / firms
