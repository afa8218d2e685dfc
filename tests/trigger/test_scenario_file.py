"""Scenarios that users write: what is sent, and what a file may not do."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.apps import running_app
from tests.cli.in_process import run
from tiktok_hook import events, trigger
from tiktok_hook.errors import UsageError

NOW = 1_795_410_390.25
SECRET = "tiktok-client-secret"
SCENARIO = """
[[step]]
event = "minis.trade_order.redeem.success"
set = { "content.order_id" = "order-{id:order}", "content.trade_order_id" = "TOID{id}" }

[[step]]
event = "minis.trade_order.redeem.refund_traceback"
set = ["content.order_id=order-{id:order}"]
after = 0.25
created = -3600
repeat = 2
"""


def written(folder: Path, content: str, name: str = "own.toml") -> Path:
    file = folder / name
    file.write_text(content)
    file.chmod(0o600)
    return file


def values(body: bytes) -> tuple[str, float | None, dict[str, object]]:
    event = events.parse(body)
    assert event is not None
    assert isinstance(event.content, dict)
    return event.name, event.created_at, dict(event.content)


def test_steps_have_delays_shared_ids_times_and_repetitions(tmp_path: Path) -> None:
    steps = trigger.read_scenario(written(tmp_path, SCENARIO))
    plan = trigger.planned(steps, now=NOW)
    assert [pause for pause, _ in plan] == [0.0, 0.25, 0.0]
    (first, bought, order), (second, refunded, again), repeated = (values(body) for _, body in plan)
    assert (first, second) == (
        "minis.trade_order.redeem.success",
        "minis.trade_order.redeem.refund_traceback",
    )
    assert repeated == (second, refunded, again)
    assert order["order_id"] == again["order_id"] != "order-{id:order}"
    assert order["trade_order_id"] != f"TOID{str(order['order_id']).removeprefix('order-')}"
    assert bought == int(NOW)
    assert refunded == int(NOW + 0.25 - 3600)


def test_each_run_has_new_ids(tmp_path: Path) -> None:
    steps = trigger.read_scenario(written(tmp_path, SCENARIO))
    first, second = (trigger.planned(steps, now=moment)[0][1] for moment in (NOW, NOW + 1))
    assert values(first)[2]["order_id"] != values(second)[2]["order_id"]


def test_json_means_the_same(tmp_path: Path) -> None:
    steps = {"step": [{"event": "tiktok.ping"}, {"event": "authorization.removed", "after": 1}]}
    found = trigger.read_scenario(written(tmp_path, json.dumps(steps), "own.json"))
    assert found == [
        trigger.Step("tiktok.ping"),
        trigger.Step("authorization.removed", after=1.0),
    ]


@pytest.mark.parametrize(
    "line",
    [
        'TO = "http://x"',
        'to = "http://x"',
        'client-secret = "x"',
        'target = "x"',
        'url = "x"',
        'secret = "x"',
        'body = "/etc/passwd"',
    ],
)
@pytest.mark.parametrize("place", ["top", "step"])
def test_a_file_names_no_target_and_no_secret(tmp_path: Path, line: str, place: str) -> None:
    step = '[[step]]\nevent = "tiktok.ping"\n'
    content = f"{line}\n{step}" if place == "top" else f"{step}{line}\n"
    with pytest.raises(UsageError, match="names events and values only") as caught:
        trigger.read_scenario(written(tmp_path, content))
    assert "--to" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no steps"),
        ("step = 3", "has no steps"),
        ("step = [3]", "is not a table"),
        ("[[step]]\nafter = 1", "names no event"),
        ('[[step]]\nevnt = "tiktok.ping"', "unknown key 'evnt'"),
        ('[[step]]\nevent = "tiktok.ping"\nafter = -1', "after in"),
        ('[[step]]\nevent = "tiktok.ping"\nafter = nan', "after in"),
        ('[[step]]\nevent = "tiktok.ping"\nafter = 1e9', "after in"),
        ('[[step]]\nevent = "tiktok.ping"\nrepeat = 1.5', "repeat in"),
        ('[[step]]\nevent = "tiktok.ping"\nrepeat = true', "repeat in"),
        ('[[step]]\nevent = "tiktok.ping"\nrepeat = 10000\n' * 2, "more than 10000 events"),
        ('[[step]]\nevent = "tiktok.ping"\nset = 3', "set in"),
        ('[[step]]\nevent = "tiktok.ping"\nset = {a = 2026-11-23}', "set in"),
        ('[[step]\nevent = "tiktok.ping"', "not valid TOML"),
        ('[[step]]\nevent = "tiktok.ping"\nset = {"a=b" = 1}', "has an equals sign"),
        ('[[step]]\nevent = "tiktok.ping"\nafter = 3600\n' * 25, "waits more than 86,400 s"),
        ('{"step": [{"event": "tiktok.ping", "event": "x"}]}', "has the key 'event' twice"),
        ('{"step": [], "step": [{"event": "tiktok.ping"}]}', "has the key 'step' twice"),
        ('{"step": [{"event": "tiktok.ping", "after": NaN}]}', "after in"),
        ('{"step": [{"event": "tiktok.ping", "set": {"content": Infinity}}]}', "not a value of"),
        (
            f'{{"step": [{{"event": "a", "set": {{"b": {"[" * 150 + "]" * 150}}}}}]}}',
            "nested deeper",
        ),
        ("[" * 500_000, "not valid JSON"),
    ],
    ids=lambda value: value[:40],
)
def test_what_is_not_valid_is_one_sentence_and_a_hint(
    tmp_path: Path, content: str, message: str
) -> None:
    name = "own.json" if content.startswith(("{", "[[[")) else "own.toml"
    with pytest.raises(UsageError, match=message) as caught:
        trigger.read_scenario(written(tmp_path, content, name))
    assert caught.value.hint


@pytest.mark.parametrize("form", ["compact", "json"])
@pytest.mark.parametrize("place", ["top", "step", "event"])
def test_an_error_repeats_no_long_value(tmp_path: Path, place: str, form: str) -> None:
    long = "k" * 900_000
    step = {"event": "tiktok.ping"} | ({long: 1} if place == "step" else {})
    content = {"step": [{"event": long} if place == "event" else step]}
    content |= {long: []} if place == "top" else {}
    file = written(tmp_path, json.dumps(content), "own.json")
    result = run(
        "trigger", "--scenario", str(file), "--to", "1", "--secret", SECRET, "--format", form
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert str(file) in result.stderr or place == "event"
    assert len(result.stderr) < 3_000


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such modes")
@pytest.mark.parametrize("mode", [0o602, 0o666])
def test_a_file_that_others_can_write_is_rejected(tmp_path: Path, mode: int) -> None:
    file = written(tmp_path, SCENARIO)
    file.chmod(mode)
    with pytest.raises(UsageError, match="can be written to by other users"):
        trigger.read_scenario(file)


async def test_a_scenario_file_is_sent_in_order_with_its_delays(tmp_path: Path) -> None:
    file = written(tmp_path, SCENARIO)
    async with running_app() as app:
        words = ["trigger", "--scenario", str(file), "--to", app.url, "--secret", SECRET]
        result = await asyncio.to_thread(run, *words, "--format", "json")
    assert result.exit_code == 0, result.output
    sent = json.loads(result.stdout)
    assert (sent["sent"], sent["passed"]) == (3, True)
    assert sent["seconds"] >= 0.25
    assert [values(body)[0].rpartition(".")[2] for body in app.bodies] == [
        "success",
        "refund_traceback",
        "refund_traceback",
    ]


async def test_a_seed_repeats_a_random_order() -> None:
    words = ["trigger", "authorization.removed", "--count", "8", "--secret", SECRET]
    orders: list[list[float | None]] = []
    for seed in ("7", "7", "8"):
        async with running_app() as app:
            given = ["--shuffle", "--seed", seed, "--to", app.url]
            result = await asyncio.to_thread(run, *words, *given)
        assert result.exit_code == 0, result.output
        assert f"--seed {seed} repeats it" in result.stderr
        times = [values(body)[1] or 0.0 for body in app.bodies]
        orders.append([each - min(times) for each in times])
    assert orders[0] == orders[1] != orders[2]
    assert sorted(each or 0.0 for each in orders[0]) == list(range(8))
    assert orders[0] != sorted(each or 0.0 for each in orders[0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scenario", "publsh"], "Did you mean publish"),
        (["--scenario", "none.toml"], "does not exist"),
        (["tiktok.ping", "--shuffle"], "--shuffle takes 2 to 100000 events"),
        (["tiktok.ping", "--seed", "1"], "--seed has no effect without --shuffle"),
        (["tiktok.ping", "--shuffle", "--retry-like-tiktok"], "exclude each other"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_sent_is_an_error(words: list[str], message: str) -> None:
    result = run("trigger", *words, "--to", "1", "--secret", SECRET)
    assert result.exit_code == 2
    assert message in result.stderr
