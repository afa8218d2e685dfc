"""`tiktok-hook trigger` as a user runs it."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apps import App, free_port, hang, http, https_app, running_app
from tests.cli.runner import Result, invoke
from tests.deadline import DEADLINE
from tests.listener import SECRET, TOKEN, listening
from tests.listener import run as words_of
from tests.ngrok_service import NgrokService
from tests.pty_terminal import Terminal
from tiktok_hook import events

FAILED = "post.publish.failed"


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with running_app() as running:
        yield running


async def trigger(*words: str, stdin: bytes = b"", secret: str | None = SECRET) -> Result:
    given = [] if secret is None else ["--secret", secret]
    return await asyncio.to_thread(invoke, "trigger", *words, *given, stdin=stdin)


async def test_without_an_event_the_catalogue_and_the_scenarios_are_listed() -> None:
    listed = (await trigger("--list")).stdout
    assert (await trigger()).stdout == listed
    assert all(f"  {name} " in listed for name in events.CATALOGUE)
    assert "  publish-failed " in listed


@pytest.mark.parametrize("name", ["tiktok.ping", "minis.subscription.create"])
async def test_an_event_is_sent_to_an_address(app: App, name: str) -> None:
    result = await trigger(name, "--to", app.url)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{name} → {app.url}")
    assert f'"event":"{name}"'.encode() in app.bodies[0]


async def test_values_are_typed_and_nested(app: App) -> None:
    await trigger(FAILED, "--to", app.url, "--set", "content.reason=7", "--set", "user_openid=u")
    assert b'\\"reason\\":7,' in app.bodies[0]
    assert b'"user_openid":"u"' in app.bodies[0]


async def test_an_answer_that_is_not_200_ends_with_6_and_a_hint(app: App) -> None:
    app.answer = http(404)
    result = await trigger(FAILED, "--to", app.url)
    assert result.exit_code == 6
    assert "answered 404." in result.stderr
    assert "Hint: 404: nothing answers" in result.stderr


@pytest.mark.parametrize("source", ["file", "stdin"])
async def test_a_body_is_sent_as_it_is(app: App, tmp_path: Path, source: str) -> None:
    body = b'{ "event": "of.mine" }\n'
    file = tmp_path / "body"
    file.write_bytes(body)
    named = str(file) if source == "file" else "-"
    result = await trigger("--body", named, "--to", app.url, stdin=body)
    assert result.exit_code == 0, result.output
    assert app.bodies == [body]


async def test_duplicates_have_one_body_and_a_count_different_ones(app: App) -> None:
    result = await trigger(FAILED, "--to", app.url, "--count", "2", "--duplicate", "3")
    assert result.exit_code == 0, result.output
    assert [app.bodies.count(body) for body in app.bodies] == [3] * 6
    assert result.stdout.splitlines()[-2].startswith("6 sent in ")
    assert result.stdout.splitlines()[-2].endswith("200: 6")


async def test_a_run_of_many_is_summed_up(app: App) -> None:
    result = await trigger(FAILED, "--to", app.url, "--count", "60", "--concurrency", "4")
    assert result.exit_code == 0, result.output
    counted, percentiles = result.stdout.splitlines()
    assert counted.startswith("60 sent in ")
    assert [word for word in percentiles.split() if word[0] == "p"] == ["p50", "p95", "p99"]
    assert result.stderr == ""


async def test_a_run_with_bad_answers_ends_with_6_and_its_statuses(app: App) -> None:
    app.answer = http(500, b"KeyError")
    result = await trigger(FAILED, "--to", app.url, "--count", "3")
    assert result.exit_code == 6
    assert "500: 3" in result.stdout
    assert "did not answer 200 to 3 of 3." in result.stderr
    assert "KeyError" in result.stderr


@pytest.mark.parametrize("name", ["publish", "publish-failed", "disconnect", "purchase"])
async def test_a_scenario_is_printed_event_by_event(app: App, name: str) -> None:
    result = await trigger("--scenario", name, "--to", app.url)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(app.bodies) == len(lines) - 2
    for line, body in zip(lines, app.bodies, strict=False):
        assert f'"event":"{line.split()[0]}"'.encode() in body


async def test_retries_continue_until_200(app: App) -> None:
    app.answer = http(500)
    result = await trigger(FAILED, "--to", app.url, "--retry-like-tiktok", "--speed", "10000000")
    assert result.exit_code == 6
    assert "TikTok would have given up" in result.stderr
    assert "72 hours" in result.stderr
    assert result.stdout.splitlines()[1].startswith("2. after 2 min: 500 in ")
    app.answer = http(200)
    result = await trigger(FAILED, "--to", app.url, "--retry-like-tiktok")
    assert result.exit_code == 0
    assert "would not retry" in result.stdout


async def test_it_goes_to_the_newest_listener_and_is_marked_there(app: App) -> None:
    async with listening("--no-tunnel", "--ephemeral", "-f", app.url) as listener:
        assert (await trigger(FAILED)).exit_code == 0
        delivery = await listener.wait_for("delivery")
        assert (delivery["source"], delivery["verdict"]["state"]) == ("trigger", "valid")
        rejected = await trigger(FAILED, "--bad-signature")
        assert rejected.exit_code == 0
        assert "403 in " in rejected.stdout
        assert "rejected as it should be" in rejected.stdout
        assert (await listener.wait_for("delivery", 2))["verdict"]["state"] == "invalid"
        assert (await trigger(FAILED, "--age", "10m")).exit_code == 0
        assert (await listener.wait_for("delivery", 3))["verdict"]["state"] == "stale"
        assert (await trigger(FAILED, "--no-signature")).exit_code == 0
        assert (await listener.wait_for("delivery", 4))["verdict"]["state"] == "missing"


async def test_a_listener_that_was_killed_is_not_taken_for_the_app(app: App) -> None:
    app.answer = hang
    async with (
        listening("--no-tunnel", "--ephemeral", "-f", app.url) as listener,
        asyncio.TaskGroup() as group,
    ):
        sent = group.create_task(trigger(FAILED))
        await listener.wait_for("delivery")
        await listener.end(signal.SIGKILL)
    result = sent.result()
    assert result.exit_code == 6
    assert result.stderr.splitlines()[1] == (
        "Hint: The listener closed the connection before it answered, as when it is stopped: see "
        "its terminal, or start it again."
    )


async def test_a_403_of_the_listener_is_explained_by_another_secret() -> None:
    async with listening("--no-tunnel", "--ephemeral"):
        result = await trigger(FAILED, secret="another-secret-than-its")
    assert result.exit_code == 6
    assert "the listener has another client secret" in result.stderr
    assert "verifier" not in result.stderr
    assert "rightly" not in result.stderr


async def test_an_app_that_wants_a_signature_asks_for_the_secret(app: App) -> None:
    app.answer = http(401)
    without = await trigger(FAILED, "--to", app.url, secret=None)
    assert "Set TIKTOK_CLIENT_SECRET" in without.stderr
    on_purpose = await trigger(FAILED, "--to", app.url, "--no-signature", secret=None)
    assert "rejected as it should be" in on_purpose.stdout


async def test_in_json_a_run_is_one_object(app: App) -> None:
    result = await trigger(FAILED, "--to", app.url, "--count", "30", "--format", "json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["target"], summary["planned"], summary["sent"]) == (app.url, 30, 30)
    assert (summary["passed"], summary["outcomes"]) == (True, {"200": 30})
    assert 0 < summary["p50_ms"] <= summary["p95_ms"] <= summary["p99_ms"]
    app.answer = http(503)
    one = await trigger(FAILED, "--to", app.url, "--format", "json")
    assert one.exit_code == 6
    assert json.loads(one.stdout)["outcomes"] == {"503": 1}
    assert "answered 503." in one.stderr


async def test_in_json_retries_are_one_object(app: App) -> None:
    app.answer = http(500)
    words = ["--retry-like-tiktok", "--speed", "10000000", "--format", "json"]
    given_up = json.loads((await trigger(FAILED, "--to", app.url, *words)).stdout)
    assert (given_up["accepted"], given_up["given_up"]) == (False, True)
    first, second = given_up["deliveries"][:2]
    assert (first["number"], first["after_seconds"], first["status"]) == (1, 0, 500)
    assert second["after_seconds"] == 120
    app.answer = http(200)
    accepted = json.loads((await trigger(FAILED, "--to", app.url, *words)).stdout)
    assert (accepted["accepted"], len(accepted["deliveries"])) == (True, 1)


async def test_in_json_the_catalogue_is_one_object() -> None:
    listed = json.loads((await trigger("--format", "json")).stdout)
    assert [each["name"] for each in listed["events"]] == list(events.CATALOGUE)
    assert "publish-failed" in [each["name"] for each in listed["scenarios"]]


async def test_a_certificate_of_ones_own_is_taken_when_asked_for() -> None:
    async with https_app() as url:
        rejected = await trigger(FAILED, "--to", url)
        taken = await trigger(FAILED, "--to", url, "--insecure")
        again = ["--insecure", "--retry-like-tiktok"]
        assert (await trigger(FAILED, "--to", url, *again)).exit_code == 0
    assert rejected.exit_code == 6
    assert "--insecure" in rejected.stderr
    assert taken.exit_code == 0, taken.output


async def test_an_app_gets_the_timeout_that_was_given(app: App) -> None:
    app.answer = hang
    result = await trigger(FAILED, "--to", app.url, "--forward-timeout", "0.2")
    assert result.exit_code == 6
    assert "did not answer: no complete answer within 0.2 s." in result.stderr


async def test_through_the_tunnel_it_comes_as_tiktok_comes() -> None:
    async with NgrokService() as service:
        ingress = ["--connect-url", service.connect_url, "--connect-cas", str(service.ca_file)]
        public = [*ingress, "--authtoken", TOKEN, "--ephemeral", "--no-self-check"]
        async with listening(*public, "--path", "/hook") as listener:
            result = await trigger(FAILED, "--through-tunnel")
            delivery = await listener.wait_for("delivery")
    assert result.exit_code == 0, result.output
    assert (delivery["path"], delivery["verdict"]["state"]) == ("/hook", "valid")
    assert "x-forwarded-for" in [name.lower() for name, _ in delivery["headers"]]


async def test_without_a_tunnel_there_is_no_way_through_one() -> None:
    async with listening("--no-tunnel", "--ephemeral"):
        result = await trigger(FAILED, "--through-tunnel")
    assert result.exit_code == 2
    assert "has no public URL" in result.stderr


async def test_an_app_that_accepts_a_forgery_is_reported(app: App) -> None:
    result = await trigger(FAILED, "--bad-signature", "--to", app.url)
    assert result.exit_code == 6
    assert f"{app.url} accepted a wrong signature" in result.stderr
    assert "does not verify" in result.stderr


@pytest.mark.parametrize(
    ("status", "option", "code"),
    [
        (401, ["--bad-signature"], 0),
        (401, ["--no-signature"], 0),
        (400, ["--age", "10m"], 0),
        (200, ["--age", "10m"], 0),
        (200, ["--no-signature"], 6),
        (500, ["--bad-signature"], 6),
        (302, ["--bad-signature"], 6),
    ],
    ids=str,
)
@pytest.mark.parametrize("count", ["1", "3"])
async def test_of_what_an_app_should_reject_a_4xx_is_the_success(
    app: App, status: int, option: list[str], code: int, count: str
) -> None:
    app.answer = http(status)
    words = [FAILED, *option, "--to", app.url, "--count", count]
    found = await trigger(*words)
    assert found.exit_code == code
    assert ("accepted an old signature" in found.stderr) == (status == 200 and "--age" in option)
    result = await trigger(*words, "--format", "json")
    assert (result.exit_code, json.loads(result.stdout)["passed"]) == (code, code == 0)


@pytest.mark.parametrize(
    ("number", "form"),
    [(signal.SIGINT, "compact"), (signal.SIGINT, "json"), (signal.SIGTERM, "compact")],
    ids=["ctrl-c", "ctrl-c-json", "sigterm"],
)
async def test_an_interrupted_run_prints_what_was_done_and_ends_with_0(
    app: App, number: signal.Signals, form: str
) -> None:
    many = ["--count", "1000", "--rate", "50", "--format", form]
    words = words_of(["trigger", FAILED, "--to", app.url, "--secret", SECRET, *many])
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ
    )
    await app.wait_for(3)
    process.send_signal(number)
    async with asyncio.timeout(DEADLINE):
        out, err = await process.communicate()
    assert process.returncode == 0, err
    assert b" of 1000." in err
    assert b"Traceback" not in err
    if form == "json":
        reported = json.loads(out)
        assert (reported["passed"], reported["planned"]) == (False, 1000)
        assert 2 <= reported["sent"] < 1000
    else:
        assert b"sent in " in out


async def test_in_a_shells_background_sigterm_ends_it_too(app: App) -> None:
    """There SIGINT is ignored, so it cannot be what ends it."""
    sent = [
        "trigger",
        FAILED,
        "--to",
        app.url,
        "--secret",
        SECRET,
        "--count",
        "900",
        "--rate",
        "50",
    ]
    process = await asyncio.create_subprocess_exec(
        *["sh", "-c", 'trap "" INT; exec "$@"', "sh", *words_of(sent)],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ,
    )
    await app.wait_for(3)
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(DEADLINE):
        _, err = await process.communicate()
    assert process.returncode == -signal.SIGTERM
    assert err == b""


async def test_many_on_a_terminal_show_a_bar(app: App) -> None:
    words = words_of(["trigger", FAILED, "--to", app.url, "--count", "30", "--secret", SECRET])

    def watch() -> tuple[int, str]:
        terminal = Terminal(words, columns=100, environment={**os.environ, "TERM": "xterm"})
        terminal.read_until("p99")
        return terminal.end(), terminal.plain

    code, shown = await asyncio.to_thread(watch)
    assert code == 0
    assert " of 30" in shown
    assert "→" not in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["post.publish.faild"], "Did you mean post.publish.failed"),
        ([FAILED, "--set", "content.reasn=x"], "content.reason"),
        ([FAILED, "--set", "content.reason"], "content.reason"),
        ([FAILED, "--body", "x"], "EVENT and --body exclude each other"),
        ([FAILED, "--to", "3000", "--through-tunnel"], "--to and --through-tunnel exclude"),
        ([FAILED, "--age", "1m", "--no-signature"], "--age and --no-signature exclude"),
        ([FAILED, "--age", "soon"], "--age 'soon'"),
        ([FAILED, "--retry-like-tiktok", "--count", "2"], "--retry-like-tiktok and --count"),
        ([FAILED, "--speed", "2"], "--speed"),
        (["--to", "3000"], "No EVENT was given."),
        (["--count", "3"], "No EVENT was given."),
        (["--scenario", "publish", "--count", "2"], "--scenario and --count"),
        (["--body", "no-such-file"], "no-such-file cannot be read"),
        (["--body", "-", "--set", "event=x"], "not JSON"),
        ([FAILED, "--to", "nonsense"], "nonsense"),
        ([FAILED], "No listener is running"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_what_cannot_be_sent_is_one_sentence_and_a_hint(
    words: list[str], message: str
) -> None:
    result = await trigger(*words, stdin=b"no json")
    assert result.exit_code == 2
    assert message in result.stderr
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["Error", "Hint"]


@pytest.mark.parametrize("option", [["--age", "1m"], ["--bad-signature"]], ids=" ".join)
async def test_signing_late_or_wrong_needs_a_secret(app: App, option: list[str]) -> None:
    result = await trigger(FAILED, "--to", app.url, *option, secret=None)
    assert result.exit_code == 2
    assert "needs a client secret" in result.stderr
    assert app.requests == []


async def test_an_app_that_is_not_there_ends_with_6() -> None:
    result = await trigger(FAILED, "--to", str(free_port()))
    assert result.exit_code == 6
    assert "did not answer: nothing listens at" in result.stderr
