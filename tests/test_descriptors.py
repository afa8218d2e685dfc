"""How sockets are divided where few files may be open."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tiktok_hook.descriptors import CONNECTIONS, open_files_limit, shares, sockets
from tiktok_hook.receiver import Limits
from tiktok_hook.receiver.options import ReceiverOptions

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there is no such limit")


@contextmanager
def soft_limit(number: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("limit", [None, 1024, 4096, 1 << 20])
def test_where_there_are_enough_files_nothing_is_limited_further(limit: int | None) -> None:
    assert sockets(limit) is None
    assert (shares(limit).connections, shares(limit).attempts) == (CONNECTIONS, None)


@pytest.mark.parametrize("limit", [1, 64, 100, 256, 400, 575])
def test_connections_and_attempts_fit_together_under_a_low_limit(limit: int) -> None:
    found = shares(limit)
    assert found.attempts is not None
    assert found.attempts >= 1
    assert found.connections >= 1
    assert found.connections + found.attempts <= max(limit - 40, 4)


def test_150_deliveries_at_once_have_a_place_where_256_files_may_be_open() -> None:
    with soft_limit(256):
        assert open_files_limit() == 256
        limits = Limits.of(ReceiverOptions())
    assert 150 <= limits.connections == limits.in_flight < 200
