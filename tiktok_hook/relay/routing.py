"""Chooses the targets of a delivery, and the answer rule that replaces their response. Pure."""

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tiktok_hook import filters, moments
from tiktok_hook.delivery import Delivery
from tiktok_hook.errors import UsageError
from tiktok_hook.filters import DeliveryFilter
from tiktok_hook.forward import parse_target
from tiktok_hook.sanitize import visible

MAX_DELAY_SECONDS = 120.0
MAX_RULES = 100
"""Maximum number of routes, and of answer rules: a delivery is compared with all of them."""

MAX_GLOB_CHARS = 8_000
"""Maximum length of the globs in all routes, and in all answer rules: comparing takes up to that
times a delivery's length, and a cloned repository may bring its routes along."""

MAX_COUNTED = 10_000
"""Maximum number of events whose answers are counted; beyond it the oldest count is dropped."""

_ANSWER = re.compile(r"([0-9]{3})(?:x([1-9][0-9]{0,5}))?(?:@(\S+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Route:
    """A filter and the target of what matches it.

    Attributes:
        match: Which deliveries; ``else`` matches what no other route matches.
        target: URL.
    """

    match: DeliveryFilter
    target: str


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """What TikTok is answered for what matches a filter.

    Attributes:
        match: Which deliveries.
        status: What they are answered.
        times: How many deliveries of the same event; None for all of them.
        delay_seconds: How long the response is delayed.
    """

    match: DeliveryFilter
    status: int
    times: int | None = None
    delay_seconds: float = 0.0

    @property
    def answer(self) -> str:
        """What TikTok is answered, for people: ``500, the first 2 times of each event``."""
        delay = f" after {self.delay_seconds:g} s" if self.delay_seconds else ""
        parts = [f"{self.status}{delay}"]
        if self.times is not None:
            first = "time" if self.times == 1 else f"{self.times} times"
            parts.append(f"the first {first} of each event")
        return ", ".join(parts)

    @property
    def words(self) -> tuple[str, str]:
        """Filter and answer, for people."""
        return str(self.match), self.answer


def parse_routes(given: Sequence[tuple[str, str]]) -> tuple[Route, ...]:
    """The routes of ``--route FILTER TARGET``.

    Raises:
        UsageError: A filter or a target is not one, ``else`` is not the last filter, or there are
            more than `MAX_RULES` or longer globs than `MAX_GLOB_CHARS`.
    """
    _check_number(given, "--route")
    last = len(given)
    routes = tuple(
        Route(filters.parse(text, else_allowed=number == last), parse_target(target))
        for number, (text, target) in enumerate(given, 1)
    )
    _check_globs([each.match for each in routes], "--route")
    return routes


def parse_answers(given: Sequence[tuple[str, str]]) -> tuple[AnswerRule, ...]:
    """The rules of ``--answer FILTER STATUS[xN][@DELAY]``.

    Raises:
        UsageError: A filter or an answer is not one, or there are more than `MAX_RULES` or longer
            globs than `MAX_GLOB_CHARS`.
    """
    _check_number(given, "--answer")
    rules = tuple(_answer(filters.parse(text), answer) for text, answer in given)
    _check_globs([each.match for each in rules], "--answer")
    return rules


def _check_number(given: Sequence[tuple[str, str]], flag: str) -> None:
    if len(given) > MAX_RULES:
        raise UsageError(
            f"{flag} is given {len(given):,} times; at most {MAX_RULES} are used.",
            hint="A wildcard covers several events: post.publish.*",
        )


def _check_globs(matches: Sequence[DeliveryFilter], flag: str) -> None:
    terms = [term for each in matches for term in each.terms if term.field in {"event", "content"}]
    chars = sum(len(each.value) for each in terms)
    if chars > MAX_GLOB_CHARS:
        raise UsageError(
            f"The filters of {flag} have globs of {chars:,} characters in all; at most "
            f"{MAX_GLOB_CHARS:,} are used.",
            hint="A wildcard covers several events or values: post.publish.*",
        )


def _answer(match: DeliveryFilter, text: str) -> AnswerRule:
    found = _ANSWER.fullmatch(text.strip())
    status = int(found[1]) if found else 0
    if found is None or not 200 <= status <= 599:
        raise UsageError(
            f"--answer {visible(text)} is not a status from 200 to 599 with an optional xN and "
            "@DELAY.",
            hint="500x2 answers 500 twice; 200@30s answers 200 after 30 s.",
        )
    try:
        delay = moments.seconds(found[3] or 0)
    except ValueError:
        delay = -1.0
    if not 0 <= delay <= MAX_DELAY_SECONDS:
        raise UsageError(
            f"The delay of --answer {visible(text)} is not a time of at most "
            f"{MAX_DELAY_SECONDS:.0f} s.",
            hint="For instance --answer post.publish.failed 200@30s.",
        )
    return AnswerRule(match, status, int(found[2]) if found[2] else None, delay)


def targets_for(
    delivery: Delivery, everything: Sequence[str], routes: Sequence[Route]
) -> tuple[str, ...]:
    """The targets that get a delivery, without repetition; the first one's answer counts.

    Args:
        delivery: An accepted one.
        everything: Targets that get every delivery.
        routes: In the order given.
    """
    matching = [
        each.target for each in routes if not each.match.is_else and each.match.matches(delivery)
    ]
    if not matching:
        matching = [each.target for each in routes if each.match.is_else]
    return tuple(dict.fromkeys([*everything, *matching]))


@dataclass(slots=True)
class AnswerRules:
    """Chooses the rule for each delivery, and counts how often it was used for its event."""

    rules: Sequence[AnswerRule]
    _used: OrderedDict[tuple[int, bytes], int] = field(default_factory=OrderedDict)

    def choose(self, delivery: Delivery) -> AnswerRule | None:
        """The first rule that matches and has uses left for this event; counts one use."""
        for number, rule in enumerate(self.rules):
            if not rule.match.matches(delivery):
                continue
            if rule.times is None:
                return rule
            key = (number, delivery.fingerprint or b"")
            used = self._used.get(key, 0)
            if used < rule.times:
                self._used[key] = used + 1
                if len(self._used) > MAX_COUNTED:
                    self._used.popitem(last=False)
                return rule
        return None
