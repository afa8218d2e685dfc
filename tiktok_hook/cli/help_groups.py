"""The options of a command with many of them, by subject, the most used ones first."""

from collections.abc import Mapping, Sequence

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
    found = {
        title: [place_of[name] for name in names if name in place_of]
        for title, names in GROUPS.items()
    }
    taken = {place for places in found.values() for place in places}
    found["Other"] = [place for place in range(len(options)) if place not in taken]
    return {title: places for title, places in found.items() if places}
