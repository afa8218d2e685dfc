"""The options of forwarding to the developer's own app."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tiktok_hook import moments
from tiktok_hook.errors import UsageError
from tiktok_hook.moments import Duration
from tiktok_hook.option_fields import option

if TYPE_CHECKING:
    from tiktok_hook.filters import DeliveryFilter
    from tiktok_hook.relay.routing import AnswerRule, Route

AckMode = Literal["app", "first", "hold"] | int


@dataclass(frozen=True, kw_only=True)
class AppNameOptions:
    """How an attached app is called.

    Attributes:
        attach_as: Its name; None is this user on this machine.
    """

    attach_as: str | None = option(
        None,
        "Name of this app, under which the history keeps its cursor.",
        flags=("--as",),
        metavar="NAME",
        default_text="user@host",
        needs_target=True,
    )

    @property
    def app_name(self) -> str:
        """The name of the attached app.

        Raises:
            UsageError: `attach_as` is not a name.
        """
        from tiktok_hook.store.app_name import checked_app_name

        return checked_app_name(self.attach_as)


@dataclass(frozen=True, kw_only=True)
class AttachmentOptions(AppNameOptions):
    """What an attached app gets.

    Attributes:
        match: A filter; empty matches everything.
        start: Where a name that is new begins: ``now``, ``start``, the id of the first delivery, or
            a time such as ``1h``.
    """

    match: str = ""
    start: str = option(
        "now",
        "Where a new name begins: now, start, an ID, or WHEN such as 1h.",
        flags=("--from",),
        metavar="now|start|ID|WHEN",
    )

    @property
    def filter(self) -> "DeliveryFilter | None":
        """`match`, read; None matches everything.

        Raises:
            UsageError: It is not a filter.
        """
        from tiktok_hook import filters

        return filters.parse(self.match) if self.match.strip() else None

    def check_attachment(self) -> None:
        """Check the values.

        Raises:
            UsageError: One of them cannot be used.
        """
        _ = self.filter, self.app_name


@dataclass(frozen=True, kw_only=True)
class RelayOptions:
    """Where deliveries go, and when TikTok is answered.

    Attributes:
        forward_to: One target or several that get everything. Without any, and without a route,
            deliveries are stored and answered 200.
        routes: Pairs of a filter and the target of what matches it.
        ack: ``app``: the first target's answer goes back. ``first``: 200 once it is stored, then
            forwarded in order, also after a restart. ``hold``: 200, forwarded when released. A
            number: that status, forwarded all the same, so that an app meets its redeliveries.
            None is ``app``, and with a shared history ``first``.
        answers: Pairs of a filter and ``STATUS[xN][@DELAY]``: what TikTok is answered for accepted
            deliveries that match, N times for each event. The app is called all the same.
        retry_for: How long a queued delivery is tried again: from its receipt on, and for an
            attached app from the time it was queued. TikTok's own retries last 72 hours.
        pass_through: Forward non-webhook requests to the first target.
        headers: ``NAME: VALUE``, set on everything that is forwarded.
        insecure: Do not check the certificate of an https target.
        forward_timeout: Seconds that an app may take.
    """

    forward_to: str | int | Sequence[str | int] = option(
        (),
        "Your app: 3000, 3000/path, host:port or a URL. Repeatable.",
        flags=("--forward-to", "-f"),
        metavar="TARGET",
        repeatable=True,
    )
    routes: Sequence[tuple[str, str]] = option(
        (),
        "Forward what matches FILTER to TARGET. Repeatable.",
        flags=("--route",),
        metavar="FILTER TARGET",
        repeatable=True,
        arguments=2,
    )
    ack: AckMode | None = option(
        None,
        "When and what TikTok is answered.",
        metavar="app|first|hold|STATUS",
        default_text="app, with a shared history first",
        needs_target=True,
    )
    answers: Sequence[tuple[str, str]] = option(
        (),
        "Answer TikTok STATUS[xN][@DELAY] for what matches FILTER. Repeatable.",
        flags=("--answer",),
        metavar="FILTER STATUS",
        repeatable=True,
        arguments=2,
    )
    retry_for: Duration = option(
        "72h",
        "How long a queued delivery is tried again: 90m, 12h, 3d.",
        metavar="DURATION",
        needs_target=True,
    )
    pass_through: bool = option(
        default=False,
        help="Forward everything that is not a POST to the first target, too.",
        flags=("--pass",),
    )
    headers: Sequence[str] = option(
        (),
        "Set a header on what is forwarded. Repeatable.",
        flags=("--header",),
        metavar="'NAME: VALUE'",
        repeatable=True,
        secret=True,
        needs_target=True,
    )
    insecure: bool = option(
        default=False,
        help="Do not check the certificate of an https target.",
        flags=("--insecure", "--skip-verify"),
        needs_target=True,
    )
    forward_timeout: float = option(
        10.0,
        "Longest wait for the app's response.",
        metavar="SECONDS",
        minimum=0.1,
        needs_target=True,
    )

    @property
    def targets(self) -> tuple[str, ...]:
        """The addresses of `forward_to` and of the routes, as URLs, without repetition.

        Raises:
            UsageError: One is not an address.
        """
        routed = [each.target for each in self.parsed_routes]
        return tuple(dict.fromkeys([*self.targets_for_all, *routed]))

    @property
    def targets_for_all(self) -> tuple[str, ...]:
        """The addresses of `forward_to`, as URLs.

        Raises:
            UsageError: One is not an address.
        """
        from tiktok_hook.forward import parse_target

        given = self.forward_to
        several = [given] if isinstance(given, str | int) else given
        return tuple(parse_target(str(text)) for text in several)

    @property
    def routing(self) -> tuple[tuple[str | None, str], ...]:
        """The filter and target of each route, as text; None is the filter of what gets everything.

        Raises:
            UsageError: A filter or a target is not one.
        """
        everything = [(None, each) for each in self.targets_for_all]
        return (*everything, *((str(each.match), each.target) for each in self.parsed_routes))

    @property
    def parsed_routes(self) -> "tuple[Route, ...]":
        """`routes`, read.

        Raises:
            UsageError: A filter or a target is not one, or ``else`` is not the last filter.
        """
        if not self.routes:
            return ()
        from tiktok_hook.relay.routing import parse_routes

        return parse_routes(self.routes)

    @property
    def parsed_answers(self) -> "tuple[AnswerRule, ...]":
        """`answers`, read.

        Raises:
            UsageError: A filter or an answer is not one.
        """
        if not self.answers:
            return ()
        from tiktok_hook.relay.routing import parse_answers

        return parse_answers(self.answers)

    @property
    def extra_headers(self) -> tuple[tuple[str, str], ...]:
        """Names and values of `headers`.

        Raises:
            UsageError: One is not a header.
        """
        from tiktok_hook.forward import parse_header

        return tuple(parse_header(text) for text in self.headers)

    @property
    def retry_seconds(self) -> float:
        """`retry_for` in seconds.

        Raises:
            UsageError: It is not a duration, or not longer than 0.
        """
        try:
            found = moments.seconds(self.retry_for)
        except ValueError:
            found = 0.0
        if found <= 0:
            raise UsageError(
                f"--retry-for {self.retry_for} is not a duration.",
                hint="For instance --retry-for 90m or --retry-for 3d.",
            )
        return found

    @property
    def ack_mode(self) -> AckMode:
        """`ack`, a status as a number; None is `default_ack`.

        Raises:
            UsageError: It is neither a mode nor a status.
        """
        return self.default_ack if self.ack is None else parse_ack(self.ack)

    @property
    def default_ack(self) -> AckMode:
        """When TikTok is answered if nothing else is asked for."""
        return "app"

    def check_relay(self) -> None:
        """Check the values.

        Raises:
            UsageError: One of them cannot be used.
        """
        _ = self.targets, self.extra_headers, self.ack_mode, self.retry_seconds, self.parsed_answers


FORWARDING = ("forward_to", "routes", "retry_for", "headers", "insecure", "forward_timeout")
"""The options of `RelayOptions` that an attached app has as well."""


def parse_ack(value: Any) -> AckMode:
    """An ack mode: one of three words, or a status from 200 to 599.

    Raises:
        UsageError: It is anything else.
    """
    if value in {"app", "first", "hold"}:
        mode: AckMode = value
        return mode
    text = str(value)
    if (
        not isinstance(value, bool)
        and text.isascii()
        and text.isdigit()
        and len(text) == 3
        and 200 <= int(text) <= 599
    ):
        return int(text)
    raise UsageError(
        f"--ack {value} is neither app, first, hold nor a status from 200 to 599.",
        hint="app: what your app answers. first: 200 at once. 500 makes TikTok retry.",
    )
