"""The doctor's checks, each against the thing it looks at."""

import asyncio
import contextlib
import os
import socket
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.apps import free_port, http, running_app
from tests.deadline import DEADLINE
from tests.ngrok_service import NgrokService
from tiktok_hook import doctor, events, paths, signature
from tiktok_hook.delivery import Delivery, Source
from tiktok_hook.doctor import account, app, clock, history, ingress, machine
from tiktok_hook.doctor.finding import Finding
from tiktok_hook.doctor.subject import Subject
from tiktok_hook.doctor.waiting import in_thread
from tiktok_hook.errors import UsageError
from tiktok_hook.store import open_store

TOKEN = "2exampleToken0123456789abcd_5EXAMPLEexample123456"
SECRET = "example0client0secret0example000"
SANDBOX = "sbawexampleclient1"


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.db"


@pytest.fixture
async def service() -> AsyncIterator[NgrokService]:
    async with NgrokService() as service:
        yield service


def shown(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.id, finding.status.value) for finding in findings]


async def keep(db: Path, *, secret: str = SECRET, signed_ago: float = 0.0) -> None:
    """Put one delivery of TikTok's into a history."""
    now = time.time()
    body = events.sample("authorization.removed")
    header = signature.sign(body, secret, timestamp=int(now - signed_ago))
    with open_store(db) as store:
        await store.add(
            Delivery(
                received_at=now,
                source=Source.TIKTOK,
                remote_addr="127.0.0.1",
                method="POST",
                path="/",
                query="",
                http_version="1.1",
                headers=((signature.HEADER, header),),
                body=body,
                verdict=signature.check(header, body, secret, now=now),
            )
        )


# All of it.


async def test_all_checks_pass_where_nothing_is_missing(service: NgrokService, db: Path) -> None:
    date = f"Date: {formatdate(usegmt=True)}"
    async with running_app(http(404, b"", date)) as timekeeper, running_app() as target:
        subject = Subject(
            db=db,
            authtoken=TOKEN,
            authtoken_from="NGROK_AUTHTOKEN",
            connect_url=service.connect_url,
            connect_cas=str(service.ca_file),
            clock_url=timekeeper.url,
            secrets=(SECRET,),
            client_key=SANDBOX,
            port=0,
            inspect_port=0,
            targets=(target.url,),
        )
        reported: list[Finding] = []
        report = await doctor.examine(subject, on_finding=reported.append)
    # How much room this machine's disk has is no matter of the code.
    wrong = [each for each in report.findings if each.status != "pass" and each.id != "disk"]
    assert wrong == []
    assert report.passed
    assert tuple(reported) == report.findings
    assert {each.id for each in reported} >= {"ingress-dns", "ingress-tcp", "ingress-tls"}
    words = " ".join(str(each) for each in reported)
    assert TOKEN not in words
    assert SECRET not in words
    assert TOKEN not in repr(subject)
    assert SECRET not in repr(subject)


async def test_a_check_that_hangs_is_given_up(db: Path) -> None:
    async with silent_port() as port:
        subject = Subject(db=db, connect_url=f"127.0.0.1:{port}", authtoken=TOKEN)
        async with asyncio.timeout(DEADLINE):
            report = await doctor.examine(subject, seconds=0.3)
    found = {each.id: each for each in report.findings}
    assert found["ingress"].status == "warn"
    assert found["ingress"].found == "no result within 0.3 s"
    assert found["authtoken"].status == "pass"


async def test_without_a_home_folder_each_check_is_a_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object, **__: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("user_state_path", "user_data_path"):
        monkeypatch.setattr(f"platformdirs.{name}", unknown)
    subject = Subject(connect_url=f"127.0.0.1:{free_port()}", authtoken=TOKEN)
    report = await doctor.examine(subject)
    found = {each.id: each for each in report.findings}
    for name in ("database", "state-folder", "disk"):
        assert found[name].status == "fail"
        assert found[name].found.startswith("No home folder is known")
        assert "HOME" in found[name].next_step


@contextlib.asynccontextmanager
async def silent_port() -> AsyncIterator[int]:
    """A port that accepts connections and never sends anything."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.mark.realtime
def test_a_blocked_thread_does_not_hold_up_the_end() -> None:
    release = threading.Event()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await in_thread(lambda: release.wait(30))

    started = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - started < 5
    release.set()


async def test_what_a_thread_raises_is_raised_where_it_is_awaited() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 / 0)


# ngrok's account.


async def test_without_a_token_the_ways_on_are_named(db: Path) -> None:
    (finding,) = await account.authtoken(Subject(db=db))
    assert finding.status == "fail"
    assert "NGROK_AUTHTOKEN" in finding.next_step
    assert "tiktok-hook demo" in finding.next_step


async def test_a_token_in_ngroks_file_is_found(db: Path, home: Path) -> None:
    file = home / ".config" / "ngrok" / "ngrok.yml"
    file.parent.mkdir(parents=True)
    file.write_text(f'version: "3"\nagent:\n  authtoken: {TOKEN}\n')
    (finding,) = await account.authtoken(Subject(db=db))
    assert (finding.status, finding.found) == (
        "pass",
        f"from {file}, shaped like one (49 characters)",
    )
    assert shown(await account.config_file(Subject(db=db))) == [("ngrok.yml", "pass")]


async def test_the_token_of_an_env_file_is_the_last_that_counts(
    db: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"NGROK_AUTHTOKEN={TOKEN}\n")
    (finding,) = await account.authtoken(Subject(db=db))
    assert (finding.status, finding.found) == (
        "pass",
        "from .env in this folder, shaped like one (49 characters)",
    )
    file = home / ".config" / "ngrok" / "ngrok.yml"
    file.parent.mkdir(parents=True)
    file.write_text(f'version: "3"\nagent:\n  authtoken: {TOKEN}\n')
    (finding,) = await account.authtoken(Subject(db=db))
    assert finding.found.startswith(f"from {file}")


@pytest.mark.skipif(os.name != "posix", reason="there is no such limit")
@pytest.mark.parametrize(("limit", "status"), [(256, "warn"), (1024, "pass")])
async def test_few_descriptors_are_doubted(limit: int, status: str) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        (finding,) = await machine.descriptors(Subject())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert finding.status == status
    assert f"at most {limit} open files" in finding.found
    assert ("ulimit -n 4096" in finding.next_step) is (status == "warn")


@pytest.mark.parametrize(
    "token", ["short", f"'{TOKEN}'", f"{TOKEN} ", "ak_2exampleApiKey"], ids=str
)
async def test_what_does_not_look_like_a_token_is_doubted_and_not_shown(
    token: str, db: Path
) -> None:
    (finding,) = await account.authtoken(Subject(db=db, authtoken=token))
    assert finding.status == "warn"
    assert token.strip() not in str(finding)


@pytest.mark.parametrize(
    ("token", "status"), [(None, "fail"), (TOKEN, "warn")], ids=["needed", "not"]
)
async def test_a_broken_file_of_ngroks_is_named(
    token: str | None, status: str, db: Path, home: Path
) -> None:
    file = home / ".config" / "ngrok" / "ngrok.yml"
    file.parent.mkdir(parents=True)
    file.write_text("agent: [\n")
    (finding,) = await account.config_file(Subject(db=db, authtoken=token))
    assert (finding.status, "not valid YAML" in finding.found) == (status, True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("agent: [\n", "none was given, and FILE cannot be read"),
        ("authtoken: $NGROK_AUTHTOKEN\n", "FILE names the variable NGROK_AUTHTOKEN, which ngrok"),
        ("auth_token: x\n", "FILE has no authtoken: it has auth_token, which is not ngrok's"),
    ],
    ids=["broken", "variable", "misspelled"],
)
async def test_the_finding_on_the_token_names_what_is_wrong_with_the_file(
    text: str, found: str, db: Path, home: Path
) -> None:
    file = home / ".config" / "ngrok" / "ngrok.yml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    (finding,) = await account.authtoken(Subject(db=db))
    assert finding.status == "fail"
    assert finding.found.replace(str(file), "FILE").startswith(found)


async def test_a_misspelled_variable_is_named(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NGROK_AUTH_TOKEN", TOKEN)
    (finding,) = await account.authtoken(Subject(db=db))
    assert finding.found == "NGROK_AUTH_TOKEN is set; the variable is NGROK_AUTHTOKEN"
    assert TOKEN not in str(finding)


async def test_a_proxy_of_ngroks_file_is_reported_as_not_used(db: Path, home: Path) -> None:
    file = home / ".config" / "ngrok" / "ngrok.yml"
    file.parent.mkdir(parents=True)
    file.write_text(f"agent:\n  authtoken: {TOKEN}\n  proxy_url: http://proxy:3128\n")
    (finding,) = await account.config_file(Subject(db=db))
    assert (finding.status, finding.found) == (
        "warn",
        f"{file} names a proxy, which is not used here",
    )


# The way to ngrok.


async def test_the_ingress_is_reached_step_by_step(service: NgrokService, db: Path) -> None:
    subject = Subject(db=db, connect_url=service.connect_url, connect_cas=str(service.ca_file))
    findings = await ingress.ingress(subject)
    assert shown(findings) == [
        ("ingress-dns", "pass"),
        ("ingress-tcp", "pass"),
        ("ingress-tls", "pass"),
    ]
    assert findings[-1].found == "TLSv1.3; certificate trusted"


async def test_ngroks_own_authority_is_left_to_its_sdk(service: NgrokService, db: Path) -> None:
    findings = await ingress.ingress(Subject(db=db, connect_url=service.connect_url))
    assert findings[-1].found == "TLSv1.3; ngrok's SDK checks the certificate"


async def test_the_ingress_of_ngroks_file_is_tried(
    service: NgrokService, db: Path, home: Path
) -> None:
    file = home / ".config" / "ngrok" / "ngrok.yml"
    file.parent.mkdir(parents=True)
    file.write_text(
        f"version: '3'\nagent:\n  connect_url: {service.connect_url}\n"
        f"  connect_cas: {service.ca_file}\n"
    )
    findings = await ingress.ingress(Subject(db=db))
    assert service.connect_url in findings[1].found
    assert findings[-1].found == "TLSv1.3; certificate trusted"


async def test_a_strange_certificate_fails(service: NgrokService, db: Path) -> None:
    subject = Subject(db=db, connect_url=service.connect_url, connect_cas="host")
    findings = await ingress.ingress(subject)
    assert shown(findings)[-1] == ("ingress-tls", "fail")
    assert "is not trusted" in findings[-1].found
    assert "--connect-cas" in findings[-1].next_step


async def test_a_server_without_tls_fails(db: Path) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ready\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as plain:
        port = plain.sockets[0].getsockname()[1]
        findings = await ingress.ingress(Subject(db=db, connect_url=f"127.0.0.1:{port}"))
    assert shown(findings)[-1] == ("ingress-tls", "fail")


async def test_a_closed_port_fails(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    findings = await ingress.ingress(Subject(db=db, connect_url=f"127.0.0.1:{free_port()}"))
    assert shown(findings) == [("ingress-dns", "pass"), ("ingress-tcp", "fail")]
    assert findings[-1].found.endswith("cannot be reached: connection refused")
    assert "cannot use a proxy" in findings[-1].next_step


async def test_an_unknown_name_fails_with_a_next_step(db: Path) -> None:
    findings = await ingress.ingress(Subject(db=db, connect_url="no-such-host.invalid:443"))
    assert shown(findings) == [("ingress-dns", "fail")]
    assert "no-such-host.invalid" in findings[0].next_step


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"connect_url": "https://example.com"}, "has a scheme"),
        ({"connect_cas": "/no/such/file"}, "does not exist"),
    ],
    ids=["url", "cas"],
)
async def test_an_option_that_cannot_be_used_fails(
    changes: dict[str, str], part: str, db: Path
) -> None:
    (finding,) = await ingress.ingress(Subject(db=db, **changes))  # type: ignore[arg-type] # texts alone
    assert (finding.id, finding.status) == ("ingress", "fail")
    assert part in finding.found


# The clock.


@pytest.mark.parametrize(
    ("ahead", "status"),
    [(0, "pass"), (30, "warn"), (-30, "warn"), (400, "fail"), (-400, "fail")],
    ids=["right", "ahead", "behind", "far-ahead", "far-behind"],
)
async def test_the_clock_is_compared_with_a_date_header(ahead: int, status: str, db: Path) -> None:
    date = formatdate(time.time() - ahead, usegmt=True)
    async with running_app(http(401, b"", f"Date: {date}")) as timekeeper:
        (finding,) = await clock.clock(Subject(db=db, clock_url=timekeeper.url))
    assert finding.status == status
    assert ("later" in finding.found, "earlier" in finding.found) == (ahead > 0, ahead < 0)


@pytest.mark.parametrize("header", ["X: y", "Date: yesterday"], ids=["none", "no-date"])
async def test_without_the_time_the_clock_is_doubted(header: str, db: Path) -> None:
    async with running_app(http(200, b"", header)) as timeless:
        (finding,) = await clock.clock(Subject(db=db, clock_url=timeless.url))
    assert finding.status == "warn"
    assert "no Date header" in finding.found


@pytest.mark.parametrize(("ago", "status"), [(1, "pass"), (-120, "fail")], ids=["right", "behind"])
async def test_tiktoks_signatures_show_the_time_too(ago: float, status: str, db: Path) -> None:
    await keep(db, signed_ago=ago)
    (finding,) = await clock.clock(Subject(db=db))
    assert finding.status == status


# The TikTok app.


@pytest.mark.parametrize(
    ("secret", "part"),
    [
        (SANDBOX, "looks like a client key"),
        ("tooFew", "is short"),
        ("example/client+secret/example==", "has characters"),
    ],
    ids=["client-key", "short", "characters"],
)
async def test_an_odd_secret_is_doubted_and_not_shown(secret: str, part: str, db: Path) -> None:
    (finding,) = await app.secret(Subject(db=db, secrets=(secret,)))
    assert finding.status == "warn"
    assert part in finding.found
    assert secret not in str(finding)


async def test_a_missing_secret_is_a_warning(db: Path) -> None:
    (finding,) = await app.secret(Subject(db=db))
    assert finding.status == "warn"
    assert "TIKTOK_CLIENT_SECRET" in finding.next_step


async def test_a_secret_that_cannot_be_used_fails(db: Path) -> None:
    problem = UsageError("The secret file x cannot be read: no.", hint="Give another.")
    (finding,) = await app.secret(Subject(db=db, secret_problem=problem))
    assert (finding.status, finding.next_step) == ("fail", "Give another.")


async def test_a_secret_is_tried_on_what_tiktok_sent(db: Path) -> None:
    await keep(db)
    (right,) = await app.secret(Subject(db=db, secrets=("another0client0secret0", SECRET)))
    (wrong,) = await app.secret(Subject(db=db, secrets=("another0client0secret0",)))
    assert (right.status, right.found) == ("pass", "2 given; it verifies delivery 1")
    assert wrong.status == "warn"
    assert "verifies none of the 1 newest" in wrong.found


@pytest.mark.parametrize(
    ("key", "status", "part"),
    [
        (SANDBOX, "pass", "of a sandbox"),
        ("awexampleclient1", "pass", "of production"),
        ("7528000000000", "warn", "neither"),
        ("\x1b[2Jaw", "warn", "neither"),
    ],
    ids=["sandbox", "production", "number", "hostile"],
)
async def test_a_client_key_shows_its_environment(
    key: str, status: str, part: str, db: Path
) -> None:
    (finding,) = await app.client_key(Subject(db=db, client_key=key))
    assert finding.status == status
    assert part in finding.found
    assert "\x1b" not in finding.found


async def test_the_client_key_is_taken_from_the_newest_delivery(db: Path) -> None:
    await keep(db)
    (finding,) = await app.client_key(Subject(db=db))
    assert finding.found == "of production (in delivery 1)"


# This machine.


async def test_a_named_port_in_use_fails_and_a_free_one_passes(db: Path) -> None:
    async with running_app() as other:
        findings = await machine.ports(Subject(db=db, port=other.port, inspect_port=free_port()))
    assert shown(findings) == [("port", "fail"), ("inspect-port", "pass")]
    assert "is in use" in findings[0].found


async def test_a_port_of_our_own_listener_passes(db: Path) -> None:
    async with running_app() as listener:
        with paths.listening(local_url=f"{listener.url}/"):
            findings = await machine.ports(Subject(db=db, port=listener.port, inspect_port=0))
    assert findings[0].found == (
        f"{listener.port} is used by the running listener (process {os.getpid()})"
    )


async def test_a_target_is_tried(db: Path) -> None:
    async with running_app() as up:
        targets = (up.url, f"127.0.0.1:{free_port()}", "no-such-host.invalid:80", "::nothing::")
        findings = await machine.targets(Subject(db=db, targets=targets))
    assert [finding.status.value for finding in findings] == ["pass", "fail", "fail", "fail"]
    assert "start the app" in findings[1].next_step


async def test_the_sdk_is_loaded_in_another_process(db: Path) -> None:
    assert shown(await machine.sdk(Subject(db=db))) == [("ngrok-sdk", "pass")]


async def test_no_module_of_the_working_directory_is_run(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloned repository may contain a file with the name of a library."""
    (tmp_path / "ngrok.py").write_text("open('was-run', 'w')")
    monkeypatch.chdir(tmp_path)
    await machine.sdk(Subject(db=db))
    assert not (tmp_path / "was-run").exists()


# The history.


async def test_a_history_that_is_not_there_yet_passes_and_is_not_made(db: Path) -> None:
    (finding,) = await history.database(Subject(db=db))
    assert finding.status == "pass"
    assert not db.parent.exists()


async def test_an_intact_history_is_counted(db: Path) -> None:
    await keep(db)
    (finding,) = await history.database(Subject(db=db))
    assert (finding.status, finding.found) == ("pass", f"{db}: writable, intact, 1 delivery")


async def test_a_folder_in_the_historys_place_fails(tmp_path: Path) -> None:
    (finding,) = await history.database(Subject(db=tmp_path))
    assert (finding.id, finding.status) == ("database", "fail")


async def test_a_foreign_file_fails(db: Path) -> None:
    db.parent.mkdir()
    with contextlib.closing(sqlite3.connect(db)) as other:
        other.execute("CREATE TABLE mine (a)")
    (finding,) = await history.database(Subject(db=db))
    assert finding.status == "fail"
    assert finding.next_step


def spoil_pages(file: Path) -> None:
    """Overwrite the beginning of every page but the first."""
    whole, page = bytearray(file.read_bytes()), 4096
    for start in range(page, len(whole), page):
        whole[start : start + 64] = b"\xff" * 64
    file.write_bytes(whole)


def lose_an_index(file: Path) -> None:
    """Leave pages behind that nothing leads to, and everything else readable."""
    with contextlib.closing(sqlite3.connect(file)) as vandal:
        vandal.execute("PRAGMA writable_schema = ON")
        vandal.execute("DELETE FROM sqlite_schema WHERE name = 'deliveries_received'")
        vandal.commit()


@pytest.mark.parametrize("damage", [spoil_pages, lose_an_index])
async def test_a_damaged_history_fails(damage: Callable[[Path], None], db: Path) -> None:
    await keep(db)
    damage(db)
    (finding,) = await history.database(Subject(db=db))
    assert finding.status == "fail"
    assert finding.next_step


def test_counts_are_of_each_status() -> None:
    report = doctor.DoctorReport(
        (
            Finding("a", doctor.CheckStatus.PASS, ""),
            Finding("b", doctor.CheckStatus.WARN, "", "do"),
            Finding("c", doctor.CheckStatus.PASS, ""),
        )
    )
    assert report.passed
    assert report.counts == {"pass": 2, "warn": 1, "fail": 0}
