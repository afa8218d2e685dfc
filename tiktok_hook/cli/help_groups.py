"""The options of a command with many of them, by subject, the most used ones first."""

from collections.abc import Mapping, Sequence

REQUEST: Mapping[str, Sequence[str]] = {
    "Request": (
        "--to", "--through-tunnel", "--list", "--scenario", "--set", "--unset", "--edit", "--body",
        "--header", "--method", "--path", "--with-id", "--as-is", "--age", "--bad-signature",
        "--no-signature", "--count", "--duplicate", "--shuffle", "--seed", "--rate",
        "--concurrency", "--retry-like-tiktok", "--speed", "--dry-run",
    ),
}  # fmt: skip
"""First of all in a command that sends a request which its options change."""

SELECTION: Mapping[str, Sequence[str]] = {
    "Deliveries": (
        "--failed", "--pending", "--event", "--verdict", "--status", "--user", "--publish-id",
        "--search", "--since", "--until", "--redeliveries", "--replayed", "--source", "--listener",
        "--app", "--limit", "--follow",
    ),
}  # fmt: skip
"""In a command that chooses stored deliveries."""

GROUPS: Mapping[str, Sequence[str]] = {
    "Your app": (
        "--forward-to", "--route", "--ack", "--answer", "--retry-for", "--header",
        "--forward-timeout", "--insecure", "--pass",
    ),
    "Signatures": (
        "--secret", "--secret-file", "--tolerance", "--verify-webhook", "--verify-webhook-secret",
    ),
    "Tunnel": (
        "--domain", "--authtoken", "--tunnel", "--public-url", "--self-check", "--traffic-policy",
        "--pooling", "--connect-url", "--connect-cas",
    ),
    "Receiver": ("--port", "--host", "--path", "--max-body", "--serve-file"),
    "History": ("--db", "--as", "--from", "--ephemeral", "--keep", "--keep-bytes"),
    "Inspector": (
        "--inspect", "--inspect-port", "--inspect-host", "--inspect-allow-host", "--inspect-open",
        "--open",
    ),
    "Output": ("--format", "--quiet", "--color", "--exit-after", "--timeout"),
}  # fmt: skip

MANY = 20
"""A command with fewer options than this has one list of them."""


def grouped(options: Sequence[tuple[str, ...]]) -> Mapping[str, Sequence[int]]:
    """Return the places of a command's options by heading; what is in no group comes last.

    Args:
        options: The names of each option, as ``("--forward-to", "-f")``.
    """
    if len(options) < MANY:
        return {"Options": range(len(options))}
    place_of = {name: place for place, names in enumerate(options) for name in names}
    groups: dict[str, Sequence[str]] = {}
    groups |= REQUEST if "--set" in place_of else {}
    groups |= SELECTION if "--event" in place_of else {}
    found: dict[str, list[int]] = {}
    taken: set[int] = set()
    for title, names in {**groups, **GROUPS}.items():
        places = [place_of[name] for name in names if name in place_of]
        found[title] = [place for place in places if place not in taken]
        taken.update(places)
    found["Other"] = [place for place in range(len(options)) if place not in taken]
    return {title: places for title, places in found.items() if places}
