"""An event loop in a thread, and coroutines that are run to their end."""

import asyncio
import inspect

import pytest

from tiktok_hook import audit, background, doctor, trigger


async def double(number: int, *, plus: int = 0) -> int:
    await asyncio.sleep(0)
    return 2 * number + plus


def test_a_coroutine_is_run_to_its_end() -> None:
    assert background.run(double(2)) == 4


async def test_it_works_inside_a_running_event_loop() -> None:
    assert background.run(double(2)) == 4
    assert background.blocking(double)(2, plus=1) == 5


def test_what_it_raises_comes_out() -> None:
    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        background.run(fail())


@pytest.mark.parametrize(
    ("function", "blocking"),
    [
        (audit.play, audit.play_blocking),
        (trigger.run, trigger.run_blocking),
        (doctor.examine, doctor.examine_blocking),
    ],
    ids=["audit", "trigger", "doctor"],
)
def test_what_takes_time_has_a_form_without_await(function: object, blocking: object) -> None:
    assert callable(function)
    assert callable(blocking)
    assert inspect.signature(blocking) == inspect.signature(function)
    assert not inspect.iscoroutinefunction(blocking)
