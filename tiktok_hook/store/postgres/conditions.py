"""Translates filters to SQL conditions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from tiktok_hook import events
from tiktok_hook.filters import DeliveryFilter, matches_any
from tiktok_hook.signature import State
from tiktok_hook.store.encoding import spellings
from tiktok_hook.store.filter import ANY_APP, Filter
from tiktok_hook.store.kept import searchable
from tiktok_hook.store.postgres import rows

MARKS = "LEFT JOIN tiktok_hook.marks m ON m.delivery_id = d.id"
JOINED = f"tiktok_hook.deliveries d {MARKS}"
"""What conditions are over."""

Values = dict[str, Any]


@dataclass
class Clause:
    """Conditions that must all match, and the values of their placeholders."""

    parts: list[str] = field(default_factory=list)
    values: Values = field(default_factory=dict)

    def add(self, part: str, **values: Any) -> None:
        """Add a condition, with the values of its placeholders."""
        self.parts.append(part)
        self.values.update(values)

    def __str__(self) -> str:
        return " AND ".join(self.parts) or "true"


def conditions(where: Filter, app: str, names: Sequence[str] | None) -> Clause:
    """All conditions but the text, over ``deliveries d LEFT JOIN marks m``.

    Args:
        where: The filter.
        app: The own app: its queue counts, and its attempts unless the filter names another app.
        names: The stored event names that `where.event_globs` match; None if there are too many
            for a query, so that `Rest` checks them.
    """
    clause = Clause()
    if where.ids:
        clause.add("d.id = ANY (%(ids)s::int8[])", ids=[each for each in where.ids if is_id(each)])
    if where.event_globs and names is not None:
        clause.add(_ANY_NAME, names=list(names))
    _add_outcomes(clause, where)
    _add_app(clause, where, app)
    if where.redeliveries:
        clause.add("d.redelivery_of IS NOT NULL")
    _add_values(clause, where)
    if where.queued is not None:
        part = f"d.id {'' if where.queued else 'NOT '}IN ({QUEUED_IDS})"
        clause.add(part, app=app)
    if where.source is not None:
        clause.add("d.source = %(source)s::text", source=where.source.value)
    if where.listener is not None:
        clause.add("d.listener = %(listener)s::text", listener=rows.text(where.listener))
    return clause


def _add_app(clause: Clause, where: Filter, app: str) -> None:
    """Add the conditions on attempts, of one app or of any."""
    for wanted, column in ((where.failed, "failed"), (where.replays, "replayed")):
        if not wanted:
            continue
        if where.app == ANY_APP:
            clause.add(f"m.{column}")
        else:
            clause.add(
                "d.id IN (SELECT delivery_id FROM tiktok_hook.app_marks "
                f"WHERE app = %(whose)s::text AND {column})",
                whose=whose(where, app),
            )
    if where.only_app is not None and not (where.failed or where.replays):
        clause.add(
            "EXISTS (SELECT FROM tiktok_hook.attempts a "
            "WHERE a.delivery_id = d.id AND a.app = %(whose)s::text)",
            whose=whose(where, app),
        )


def whose(where: Filter, app: str) -> str:
    """The app whose attempts count; not used if those of any app do."""
    return app if where.only_app is None else rows.text(where.only_app)


def _add_outcomes(clause: Clause, where: Filter) -> None:
    if where.verdicts:
        given = [each.value for each in dict.fromkeys(where.verdicts)]
        clause.add(_ANY_VERDICT, verdicts=given)
        if State.VALID not in where.verdicts:
            clause.add("d.verdict <> 'valid'")  # as in the index
    if where.statuses:
        given_statuses = list(dict.fromkeys(where.statuses))
        part = _ANY_STATUS if 200 in where.statuses else _INDEXED_STATUS
        clause.add(part, statuses=given_statuses)


def _add_values(clause: Clause, where: Filter) -> None:
    if where.since is not None:
        clause.add("d.received_at >= %(since)s::float8", since=float(where.since))
    if where.until is not None:
        clause.add("d.received_at < %(until)s::float8", until=float(where.until))
    for number, user in enumerate(where.users):
        part = f"d.user_openid = %(user_{number})s::text"
        part += " AND d.user_openid <> ''" * bool(user)
        clause.add(part, **{f"user_{number}": searched(user)})
    if where.publish_id is not None:
        part = "d.publish_id = %(publish)s::text"
        part += " AND d.publish_id <> ''" * bool(where.publish_id)
        clause.add(part, publish=searched(where.publish_id))


_ANY_NAME = "d.event = ANY (%(names)s::text[])"
_ANY_VERDICT = "d.verdict = ANY (%(verdicts)s::text[])"
_ANY_STATUS = "coalesce(m.status, d.status) = ANY (%(statuses)s::int4[])"
_INDEXED_STATUS = (
    f"{_ANY_STATUS} AND d.id IN (SELECT id FROM tiktok_hook.deliveries "
    "WHERE status = ANY (%(statuses)s::int4[]) AND status <> 200 UNION ALL "
    "SELECT delivery_id FROM tiktok_hook.marks "
    "WHERE status = ANY (%(statuses)s::int4[]) AND status <> 200)"
)
QUEUED_IDS = "SELECT delivery_id FROM tiktok_hook.queue WHERE app = %(app)s::text"


@dataclass(frozen=True)
class _OneOf:
    """A condition that a column has one of several values.

    Attributes:
        values: The name of their placeholder.
        type: Theirs in SQL.
        any: The condition.
        each: The same for one value, ``{}``: each part of it can be met by reading an index in the
            order of the ids, and a delivery meets one at most.
    """

    values: str
    type: str
    any: str
    each: tuple[str, ...]


# In the order of how few deliveries they leave.
_ONE_OF = (
    _OneOf(
        "statuses",
        "int4",
        _INDEXED_STATUS,
        (
            "d.status = {} AND d.status <> 200 AND m.status IS NULL",
            "m.status = {} AND m.status <> 200",
        ),
    ),
    _OneOf("names", "text", _ANY_NAME, ("d.event = {}",)),
    _OneOf("verdicts", "text", _ANY_VERDICT, ("d.verdict = {}",)),
)


def page_condition(clause: Clause, tail: str) -> str:
    """The condition for the first few rows in the order of the ids.

    The server reads an index in the order of the ids for one value of a column, but reads and sorts
    all that have one of several. So one column is asked for value by value, a few rows of each.

    Args:
        clause: All conditions; values that the result needs are added.
        tail: ``ORDER BY d.id ... LIMIT ...``.
    """
    condition = str(clause)
    several: _OneOf | None = None
    for each in _ONE_OF:
        if each.any not in clause.parts:
            continue
        values = clause.values[each.values]
        if len(values) == len(each.each) == 1:
            name = f"only_{each.values}"
            clause.values[name] = values[0]
            only = each.each[0].format(f"%({name})s::{each.type}")
            condition = condition.replace(each.any, only)
        elif several is None:
            several = each
    if several is None:
        return condition
    parts = [condition.replace(several.any, each.format("wanted.value")) for each in several.each]
    found = " UNION ALL ".join(f"(SELECT d.id FROM {JOINED} WHERE {each} {tail})" for each in parts)
    return (
        f"d.id IN (SELECT found.id FROM unnest(%({several.values})s::{several.type}[]) "
        f"AS wanted (value), LATERAL ({found}) AS found {tail.replace('d.id', 'found.id')})"
    )


def add_text(clause: Clause, text: str, low: int, high: int) -> None:
    """Add the condition that a delivery or one of its attempts contains a text.

    Args:
        clause: Changed.
        text: What to look for; case of ASCII letters does not count.
        low: The lowest id that is searched.
        high: The id after the highest.
    """
    patterns = [f"%{_like(each)}%" for each in spellings(text)]
    escaped = [f"%{_like(_octal(each))}%" for each in spellings(text)]
    own = [_contains(each) for each in _DELIVERY_TEXT]
    own += [_contains_bytes(each) for each in ("d.body", "d.path", "d.query")]
    tried = [_contains(each) for each in _ATTEMPT_TEXT]
    tried += [_contains_bytes(each) for each in ("a.request_body", "a.body")]
    clause.add(
        f"({' OR '.join(own)} OR d.id IN (SELECT a.delivery_id FROM tiktok_hook.attempts a "
        "WHERE a.delivery_id >= %(text_low)s::int8 AND a.delivery_id < %(text_high)s::int8 "
        f"AND ({' OR '.join(tried)})))",
        patterns=[_lower(each) for each in patterns],
        escaped=[_lower(each) for each in escaped],
        text_low=low,
        text_high=high,
    )


def _contains(column: str) -> str:
    return f'lower({column} COLLATE "C") LIKE ANY (%(patterns)s::text[])'


def _contains_bytes(column: str) -> str:
    # Bytes may have any encoding, so they are compared in an escaped form, which is text.
    return f"lower(encode({column}, 'escape') COLLATE \"C\") LIKE ANY (%(escaped)s::text[])"


_DELIVERY_TEXT = (
    "d.headers",
    "d.summary",
    "d.remote_addr",
    "d.verdict",
    "d.verdict_reason",
    "d.verdict_hint",
)
_ATTEMPT_TEXT = ("a.target", "a.request_headers", "a.headers", "a.error", "a.hint")


def _octal(text: str) -> str:
    r"""A text as PostgreSQL's `escape` format writes its bytes: ``\303\251`` for é."""
    return "".join(
        chr(byte) if byte < 0x80 and byte not in {0, 0x5C} else _ESCAPES.get(byte, f"\\{byte:03o}")
        for byte in text.encode(errors="surrogatepass")
    )


_ESCAPES = {0x5C: "\\\\"}


def _like(text: str) -> str:
    for special in "\\%_":
        text = text.replace(special, "\\" + special)
    return rows.text(text)


def _lower(text: str) -> str:
    """Lower case of ASCII letters only, as in the "C" collation."""
    return "".join(chr(ord(each) | 0x20) if "A" <= each <= "Z" else each for each in text)


def searched(value: str) -> str:
    """A value as it is stored in an indexed column."""
    return rows.text(searchable(value) or "")


def is_id(number: int) -> bool:
    """Whether a number may be an id; users type any number."""
    return 0 < number < 1 << 63


@dataclass(frozen=True)
class Rest:
    """The conditions of a filter that the server cannot check.

    Attributes:
        globs: Groups of globs for the event's name; one of each has to match.
        terms: Conditions on the body.
    """

    globs: Sequence[tuple[str, ...]] = ()
    terms: DeliveryFilter | None = None

    @classmethod
    def of(cls, where: Filter, names: Sequence[str] | None) -> Self | None:
        """The rest of a filter; None if the server checks all of it."""
        globs = where.event_globs if names is None else []
        terms = DeliveryFilter(where.body_terms) if where.body_terms else None
        return cls(globs, terms) if globs or terms else None

    def matches(self, name: str | None, body: bytes) -> bool:
        """Whether a delivery with this stored event name and this body matches."""
        if any(name is None or not matches_any(name, each) for each in self.globs):
            return False
        return self.terms is None or self.terms.matches_event(events.parse(body))


def matching(names: Sequence[str], groups: Sequence[tuple[str, ...]]) -> list[str]:
    """The stored names that match one glob of each group."""
    return [each for each in names if all(matches_any(each, globs) for globs in groups)]
