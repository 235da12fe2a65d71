"""When a delivery is tried again, when an endpoint is given a rest, and when it is given up.

* A delivery is tried at most eleven times, over about 76 hours. Each wait is spread by a fifth either way, so that what failed together
  does not come again together; an answer's Retry-After counts as far as it makes the wait at most twice as long.
* An endpoint that keeps failing gets a rest (a circuit breaker): ten failures in a row, or seven of ten within half a minute. After the
  rest one delivery goes ahead to try; if it fails, the next rest is twice as long.
* An endpoint that only failed for five days, and ten times at least, is disabled; one that answers 410 is at once (Standard Webhooks).
"""

from dataclasses import dataclass, replace

from hub.domain import retry_after
from hub.domain.webhooks.delivery import Attempt

SECOND_US = 1_000_000
WAITS_S = (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)  # after the first failure, the second, …
ATTEMPTS_MAX = len(WAITS_S) + 1
JITTER = 0.2

FAILURES_MAX = 10  # in a row, before an endpoint gets a rest
WINDOW_US = 30 * SECOND_US
WINDOW_ATTEMPTS_MIN = 10
WINDOW_FAILED_SHARE = 0.7
REST_FIRST_S, REST_MAX_S = 30, 1_800
_BUSY = frozenset({429, 502, 503, 504})  # answers that tell of the endpoint, not of the message
_BUSY_REST_MAX_S = 60
_GONE = 410

DISABLE_AFTER_US = 5 * 86_400 * SECOND_US
DISABLE_FAILURES_MIN = 10


def next_try_us(attempts: int, attempt: Attempt, *, now_us: int, chance: float) -> int | None:
    """Return when a delivery that failed is tried again, or None if it is given up.

    Args:
        attempts: how often it has been tried, this time included.
        chance: a random number from 0 to 1, which spreads the waits.
    """
    if attempts >= ATTEMPTS_MAX:
        return None
    wait_s = WAITS_S[attempts - 1] * (1 + JITTER * (2 * chance - 1))
    if attempt.retry_after_s is not None:
        asked_s = min(attempt.retry_after_s, 2 * WAITS_S[attempts - 1], retry_after.MOST_S)
        wait_s = max(wait_s, asked_s)
    return now_us + round(wait_s * SECOND_US)


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint has answered of late."""

    failures: int = 0  # in a row
    failing_since_us: int | None = None  # the first of them
    window_us: int = 0  # when the present stretch of counting began
    tried: int = 0  # in it
    failed: int = 0
    rests: int = 0  # in a row
    rest_until_us: int = 0  # nothing but what is urgent is sent before

    def after(self, attempt: Attempt, *, now_us: int) -> "Health":
        """Return what it is after one more attempt."""
        began = now_us - self.window_us > WINDOW_US
        window_us, tried, failed = (now_us, 0, 0) if began else (self.window_us, self.tried, self.failed)
        if attempt.is_success:
            return Health(window_us=window_us, tried=tried + 1, failed=failed)
        since_us = now_us if self.failing_since_us is None else self.failing_since_us
        failures = self.failures + 1
        counted = replace(self, failures=failures, failing_since_us=since_us, window_us=window_us, tried=tried + 1, failed=failed + 1)
        return _rested(counted, attempt, now_us)

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt failed: then one delivery at a time is enough to find out when that ends."""
        return self.failures > 0

    def disables(self, attempt: Attempt, *, now_us: int) -> str | None:
        """Return why the endpoint is to be disabled after `attempt`, which is counted already, or None."""
        if attempt.status == _GONE:
            return "it answered 410 Gone"
        if self.failing_since_us is None or self.failures < DISABLE_FAILURES_MIN:
            return None
        if now_us - self.failing_since_us < DISABLE_AFTER_US:
            return None
        return f"it has only failed for {(now_us - self.failing_since_us) // (86_400 * SECOND_US)} days, {self.failures} times"


def _rested(health: Health, attempt: Attempt, now_us: int) -> Health:
    is_over = health.tried >= WINDOW_ATTEMPTS_MIN and health.failed >= WINDOW_FAILED_SHARE * health.tried
    if health.failures >= FAILURES_MAX or is_over or health.rests:
        rest_s = min(REST_FIRST_S * 2**health.rests, REST_MAX_S)
        return replace(health, rests=min(health.rests + 1, 32), rest_until_us=now_us + rest_s * SECOND_US, tried=0, failed=0)
    if attempt.status in _BUSY:
        rest_s = min(max(attempt.retry_after_s or 0, WAITS_S[0]), _BUSY_REST_MAX_S)
        return replace(health, rest_until_us=now_us + rest_s * SECOND_US)
    return health
