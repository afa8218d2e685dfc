"""Scenarios that users write, as TOML or JSON.

Such a file comes from elsewhere as often as not, so it is a stranger's: it names events and values,
and never a target, a secret or another file. Another user must not have been able to write it.
"""

import json
import re
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiktok_hook.edits import EditError, assignments
from tiktok_hook.errors import UsageError
from tiktok_hook.exact_json import MAX_DEPTH, depth
from tiktok_hook.settings import parse_toml
from tiktok_hook.suggestions import did_you_mean
from tiktok_hook.text_files import decode, read_bytes
from tiktok_hook.trigger.sample import body_of

MAX_STEPS = 1000
MAX_BODIES = 10_000
_MAX_BYTES = 1 << 20
_MAX_SECONDS = 3600.0
MAX_SECONDS_IN_ALL = 86_400.0
_MAX_CREATED_SECONDS = 366 * 86_400.0

_KEYS = ("step", "meaning")
_STEP_KEYS = ("event", "set", "after", "created", "repeat")
_NEVER = (
    "to", "target", "url", "forward_to", "secret", "client_secret", "secret_file", "path",
    "header", "headers", "body", "file",
)  # fmt: skip
_ID = re.compile(r"\{id(?::([a-z][a-z0-9_]{0,20}))?\}")


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a scenario.

    Attributes:
        event: Its name.
        sets: ``PATH=VALUE`` each; ``{id}`` and ``{id:NAME}`` stand for 19 digits that are the same
            all through one run.
        after: Seconds to wait before it is sent.
        created: Seconds from the moment of sending to its ``create_time``; negative is earlier.
        repeat: How often the same body is sent.
    """

    event: str
    sets: tuple[str, ...] = ()
    after: float = 0.0
    created: float = 0.0
    repeat: int = 1


def read_scenario(file: Path) -> list[Step]:
    """Read a scenario file.

    Args:
        file: TOML with ``[[step]]`` tables, or JSON with a list ``step`` if its name ends in
            ``.json``.

    Raises:
        UsageError: It cannot be read, another user could have written it, or a key or value is
            not valid.
    """
    name = f"scenario file {file}"
    try:
        text = decode(read_bytes(file, what="scenario file", max_bytes=_MAX_BYTES), name=name)
    except FileNotFoundError:
        raise UsageError(
            f"The {name} does not exist.", hint="tiktok-hook trigger lists the built-in scenarios."
        ) from None
    content = _json(text, name) if file.suffix.lower() == ".json" else parse_toml(text, name=name)
    _check_keys(content, _KEYS, name)
    steps = content.get("step")
    if not isinstance(steps, list) or not 1 <= len(steps) <= MAX_STEPS:
        raise UsageError(
            f"The {name} has no steps, or more than {MAX_STEPS}.",
            hint='A step in TOML: [[step]] and, below it, event = "post.publish.complete".',
        )
    found = [_step(each, f"step {number} of the {name}") for number, each in enumerate(steps, 1)]
    if sum(each.repeat for each in found) > MAX_BODIES:
        raise UsageError(f"The {name} sends more than {MAX_BODIES} events.", hint="Repeat less.")
    if sum(each.after for each in found) > MAX_SECONDS_IN_ALL:
        raise UsageError(
            f"The {name} waits more than {MAX_SECONDS_IN_ALL:,.0f} s in all.",
            hint="`created` sets an event's time without a wait.",
        )
    return found


def _json(text: str, name: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, name))
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"The {name} is not valid JSON.", hint='For instance {"step": [{"event": "…"}]}'
        ) from error
    if not isinstance(value, dict):
        raise UsageError(
            f"The {name} is not a JSON object.", hint='For instance {"step": [{"event": "…"}]}'
        )
    return value


def _object(pairs: Sequence[tuple[str, Any]], name: str) -> dict[str, Any]:
    """An object; a key given twice is an error, as in TOML."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise UsageError(f"The {name} has the key {key!r} twice.", hint="Remove one of them.")
        found[key] = value
    return found


def _check_keys(content: Mapping[str, Any], known: Collection[str], name: str) -> None:
    for key in content:
        if key in known:
            continue
        if key.replace("-", "_").lower() in _NEVER:
            raise UsageError(
                f"The {name} has the key {key!r}: a scenario names events and values only.",
                hint="Give the target with --to and the secret with TIKTOK_CLIENT_SECRET.",
            )
        raise UsageError(
            f"The {name} has an unknown key {key!r}.",
            hint=did_you_mean(key, known) or f"Known: {', '.join(known)}.",
        )


def _step(value: Any, name: str) -> Step:
    if not isinstance(value, dict):
        raise UsageError(f"The {name} is not a table.", hint="Write [[step]].")
    _check_keys(value, _STEP_KEYS, name)
    event = value.get("event")
    if not isinstance(event, str):
        raise UsageError(f"The {name} names no event.", hint='event = "post.publish.complete"')
    return Step(
        event,
        _sets(value.get("set", []), name),
        _number(value, "after", name, (0.0, _MAX_SECONDS)),
        _number(value, "created", name, (-_MAX_CREATED_SECONDS, _MAX_CREATED_SECONDS)),
        int(_number(value, "repeat", name, (1, MAX_BODIES), default=1, whole=True)),
    )


def _sets(value: Any, name: str) -> tuple[str, ...]:
    if isinstance(value, dict):
        if key := next((each for each in value if "=" in each), None):
            raise UsageError(
                f"The path {key!r} of set in {name} has an equals sign.",
                hint='set = { "content.reason" = "spam_risk" }',
            )
        if any(depth(each) > MAX_DEPTH for each in value.values()):
            raise UsageError(
                f"A value of set in {name} is nested deeper than {MAX_DEPTH}.",
                hint="Set a value inside it.",
            )
        try:
            return tuple(assignments(value))
        except (TypeError, ValueError) as error:  # a date of TOML, an infinite number
            raise UsageError(
                f"A value of set in {name} is not a value of JSON.", hint="Write it as text."
            ) from error
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise UsageError(
        f"set in {name} is not a list of PATH=VALUE.", hint='set = ["content.reason=spam_risk"]'
    )


def _number(
    step: Mapping[str, Any],
    key: str,
    name: str,
    bounds: tuple[float, float],
    *,
    default: float = 0.0,
    whole: bool = False,
) -> float:
    value = step.get(key, default)
    of_type = isinstance(value, int) if whole else isinstance(value, int | float)
    if isinstance(value, bool) or not of_type or not bounds[0] <= value <= bounds[1]:
        raise UsageError(
            f"{key} in {name} is not a number from {bounds[0]:g} to {bounds[1]:g}.",
            hint=f"For instance {key} = 2.",
        )
    return float(value)


def planned(
    steps: Sequence[Step], *, sets: Sequence[str] = (), now: float
) -> list[tuple[float, bytes]]:
    """The bodies of a scenario in order, each with the seconds to wait before it.

    Args:
        steps: As `read_scenario` returned them.
        sets: ``PATH=VALUE`` each, made in every event that has the path.
        now: Unix seconds when the first step's wait begins.

    Raises:
        UsageError: An event is not known, or no event has a path of `sets`.
    """
    own = [_own_sets(step, now) for step in steps]
    for text in sets:
        failed: list[EditError] = []
        for step, kept in zip(steps, own, strict=True):
            try:
                body_of(step.event, sets=[*kept, text], now=now)
            except EditError as error:
                failed.append(error)
            else:
                kept.append(text)
        if len(failed) == len(steps):
            raise failed[0]
    return list(_bodies(steps, own, now))


def _own_sets(step: Step, now: float) -> list[str]:
    """The step's own edits with its ids filled in; one name has one id all through a run."""

    def number(found: re.Match[str]) -> str:
        shift = zlib.crc32(found[1].encode()) if found[1] else 0
        return f"{int(now * 1_000_000_000) + shift:019d}"

    return [_ID.sub(number, text) for text in step.sets]


def _bodies(
    steps: Sequence[Step], own: Sequence[Sequence[str]], now: float
) -> Iterator[tuple[float, bytes]]:
    at = now
    for step, sets in zip(steps, own, strict=True):
        at += step.after
        body = body_of(step.event, sets=sets, now=at + step.created)
        for number in range(step.repeat):
            yield (0.0 if number else step.after), body
