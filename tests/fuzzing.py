"""How many cases Hypothesis tries, and strategies that several tests share.

The numbers stand here and nowhere else. `make test` tries the same few cases each time, so that a
failure comes from a change; `make fuzz` looks for new ones.
"""

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tiktok_hook.errors import HookError
from tiktok_hook.events import CATALOGUE

SHORT = 200
LONG = 10_000


def register() -> None:
    """Make the two profiles known; ``--hypothesis-profile long`` chooses the other one."""
    # How long a case takes tells more of the machine's other work than of ours.
    patient: Any = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
    settings.register_profile(
        "short", max_examples=SHORT, derandomize=True, database=None, **patient
    )
    settings.register_profile("long", max_examples=LONG, print_blob=True, **patient)
    settings.load_profile("short")


def one_in(parts: int) -> settings:
    """For a test whose cases are dear: this part of the profile's number."""
    return settings(max_examples=settings().max_examples // parts)


def check_error(error: HookError, *, without: str = "") -> None:
    """Check that an error has a message and a hint, and shows no secret."""
    assert str(error)
    assert error.hint
    assert not without or without not in f"{error} {error.hint} {error.__cause__}"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
"""Anything that `json.dumps` takes, NaN and lone surrogates included."""

events = st.fixed_dictionaries(
    {"event": st.sampled_from(sorted(CATALOGUE)) | st.text(max_size=10)},
    optional={
        "client_key": json_values,
        "create_time": json_values | st.integers(),
        "user_openid": json_values,
        "content": json_values
        | st.dictionaries(
            st.sampled_from(["reason", "publish_id", "post_id", "publish_type", "is_sandbox"]),
            json_values,
        ).map(json.dumps),
    },
).map(lambda value: json.dumps(value).encode())
"""Bodies that are TikTok's envelope, with anything in it."""

Change = tuple[float, int, bytes]

changes: st.SearchStrategy[list[Change]] = st.lists(
    st.tuples(
        st.floats(0, 1), st.integers(0, 4), st.binary(max_size=4) | st.sampled_from([b"\r\n", b'"'])
    ),
    min_size=1,
    max_size=3,
)
"""Places in some bytes, from beginning (0) to end (1): so many bytes there become those."""


def changed(data: bytes, several: list[Change]) -> bytes:
    """The bytes with these changes, which may cancel each other out."""
    for place, removed, put in several:
        at = int(len(data) * place)
        data = data[:at] + put + data[at + removed :]
    return data
