"""What an attempt from the queue means for its delivery, and when the next one is due. Pure.

There are two kinds of failure. If the target is down, every delivery would fail, so the queue
waits. If the target responds to other deliveries, this one is set aside and the queue continues.
A reset, a malformed response and the statuses of a gateway (502, 503, 504) may be either.
"""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum, auto

from tiktok_hook.delivery import Attempt, Headers

MAX_RETRY_AFTER = 3600.0
"""The longest ``Retry-After`` that is honoured, in seconds."""

SUSPECT_AFTER = 5
"""A head that failed ambiguously this often in a row may be the cause: it is set aside."""

_UNREACHED = frozenset({"refused", "dns", "unreachable", "tls", "descriptors"})
_SYMPTOMS = {
    "reset": "it accepts connections and closes them.",
    "protocol": "what answers there is not HTTP.",
    "too_large": "the headers of its answer are too large.",
}
_AMBIGUOUS = frozenset(_SYMPTOMS)
_AMBIGUOUS_STATUSES = frozenset({502, 503, 504})
_TEMPORARY_STATUSES = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Delays:
    """When deliveries are tried again, in seconds.

    Attributes:
        head: Of the head of the queue while the target is down; the last one repeats.
        own_min: Of a delivery that was set aside once; doubled with each try.
        own_max: Upper limit of the doubled delay.
    """

    head: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 10.0)
    own_min: float = 1.0
    own_max: float = 600.0

    def of_head(self, failures: int) -> float:
        """The delay after this many failures of the head in a row, at least one."""
        return self.head[min(failures, len(self.head)) - 1]

    def of_own(self, tries: int, *, jitter: float = 1.0) -> float:
        """The delay of a delivery that was set aside `tries` times, at least once.

        Args:
            tries: At least one.
            jitter: A random factor about 1, so that deliveries that failed together spread out.
        """
        exponential = self.own_min * 2.0 ** min(tries - 1, 20)
        return min(max(exponential * jitter, self.own_min), self.own_max)


DELAYS = Delays()
"""The documented delays."""


class AttemptOutcome(Enum):
    """What an attempt means.

    Attributes:
        DELIVERED: 2xx; the delivery leaves the queue.
        REJECTED: Another status that repeating does not change; it leaves the queue as failed.
        UNREACHED: The app cannot have seen it: the target is down.
        AMBIGUOUS: The connection was reset, the response was malformed, or a gateway responded.
        FAILED: The app failed with this delivery; another time it may not.
    """

    DELIVERED = auto()
    REJECTED = auto()
    UNREACHED = auto()
    AMBIGUOUS = auto()
    FAILED = auto()


def classify(attempt: Attempt) -> AttemptOutcome:
    """What an attempt that ended means for its delivery."""
    if attempt.error is not None:
        if attempt.error in _UNREACHED:
            return AttemptOutcome.UNREACHED
        if attempt.error in _AMBIGUOUS:
            return AttemptOutcome.AMBIGUOUS
        return AttemptOutcome.FAILED if attempt.error == "timeout" else AttemptOutcome.REJECTED
    status = attempt.status or 0
    if 200 <= status < 300:
        return AttemptOutcome.DELIVERED
    if status in _AMBIGUOUS_STATUSES:
        return AttemptOutcome.AMBIGUOUS
    if status >= 500 or status in _TEMPORARY_STATUSES:
        return AttemptOutcome.FAILED
    return AttemptOutcome.REJECTED


def responded(attempt: Attempt) -> bool:
    """Whether an attempt shows that the app itself is up: any response but that of a gateway."""
    return attempt.status is not None and attempt.status not in _AMBIGUOUS_STATUSES


def symptom(attempt: Attempt) -> str:
    """What a target does that accepts connections although no app responds, as a sentence.

    Returns:
        Empty where no connection was made, and where the app responded.
    """
    if classify(attempt) is not AttemptOutcome.AMBIGUOUS:
        return ""
    if attempt.status is not None:
        return f"it answers {attempt.status}."
    return _SYMPTOMS[attempt.error or ""]


def retry_after(headers: Headers, now: float) -> float:
    """Seconds that a response asks to wait, at most an hour; 0 when it does not.

    Args:
        headers: Of the response. ``Retry-After`` holds seconds or an HTTP date (RFC 9110, 10.2.3).
        now: Unix seconds.
    """
    value = next((each for name, each in headers if name.lower() == "retry-after"), "").strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:10])
    else:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError, OSError):
            return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
