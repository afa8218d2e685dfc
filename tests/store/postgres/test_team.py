"""The roles of a shared history: what each of them may do, tried as another user."""

import asyncio
import json
import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tests.cli.runner import invoke
from tests.postgres import SUPERUSER, PostgresServer
from tests.store.samples import TARGET, attempt, delivery, event_body
from tiktok_hook.cli.team import _ROLES
from tiktok_hook.delivery import Source
from tiktok_hook.doctor import Subject, history
from tiktok_hook.errors import StoreError
from tiktok_hook.signature import State
from tiktok_hook.store import (
    ATTACHMENT,
    Attachment,
    Filter,
    QueueEntry,
    Store,
    locate,
    open_history,
    open_store,
    open_team,
)
from tiktok_hook.store.team_records import ROLES, Role

DOCS = Path(__file__).parents[3] / "docs"

ANNA, BEN = "anna@laptop", "ben@desk"
QUEUED = QueueEntry("attached", TARGET)


@dataclass(frozen=True)
class Team:
    """A history made by `team create`, with two developers and a listener.

    Attributes:
        server: Where it is.
        database: Its database.
    """

    server: PostgresServer
    database: str

    def url(self, user: str) -> str:
        """The address for a user."""
        return self.server.url(self.database, user=user)

    def name(self, who: str) -> str:
        """A user of this test's own: users belong to the whole server."""
        return f"{who}_{self.database}"

    def open(self, who: str, app: str | None = None) -> Store:
        """The history as one of them writes it."""
        return open_store(self.url(self.name(who)), app=app, prune=False)

    def filled_in(self, sql: str) -> str:
        """SQL with the names of this team's roles and users, which end in its database's."""
        return sql.replace("{database}", self.database)

    def execute(self, who: str, sql: str) -> list[tuple[object, ...]]:
        """SQL as one of them."""
        with psycopg.connect(self.url(self.name(who)), autocommit=True) as connection:
            found = connection.execute(sql.encode())
            return found.fetchall() if found.description else []

    def may(self, who: str, sql: str) -> bool:
        """Whether the server lets one of them."""
        try:
            self.execute(who, sql)
        except psycopg.errors.InsufficientPrivilege:
            return False
        return True


_MEMBERS: dict[str, Role] = {"anna": "developer", "ben": "developer", "staging": "listener"}


@pytest.fixture
def team(server: PostgresServer, database: str) -> Team:
    """A team with an empty history."""
    made = Team(server, database)
    url = server.url(database)
    owner = open_team(locate(url, where=""))
    owner.create(keep=None, keep_bytes=None)
    for who, role in _MEMBERS.items():
        owner.add(made.name(who), role)
    return made


async def _filled(team: Team) -> None:
    """A delivery that Anna has queued, was sent and failed, with her cursor and her lock."""
    with team.open("staging") as store:
        await store.add(delivery(event_body(user="u-1"), status=200))
    with team.open("anna", ANNA) as store:
        assert await store.queue_lock(ATTACHMENT).acquire()
        epoch = store.history().attachment().epoch
        await store.attach(
            Attachment(
                app=ANNA, target=TARGET, match="", cursor=0, epoch=epoch, host="laptop", pid=1,
                missed=0,
            ),
            old_target=None,
        )  # fmt: skip
        assert await store.advance(0, 1, [(1, QUEUED)])
        begun = await store.begin_attempt(attempt(1))
        await store.end_attempt(replace(begun, status=500, duration_ms=1.0))


def _rows(team: Team) -> dict[str, list[tuple[object, ...]]]:
    """Everything that a teammate must not change."""
    tables = ("deliveries", "marks", "app_marks", "attempts", "queue", "attachments", "history")
    return {
        each: team.server.execute(f"SELECT * FROM tiktok_hook.{each} ORDER BY 1", team.database)
        for each in tables
    }


FORBIDDEN = {
    "add a delivery": "INSERT INTO tiktok_hook.deliveries SELECT * FROM tiktok_hook.deliveries",
    "change a delivery": "UPDATE tiktok_hook.deliveries SET body = ''",
    "delete deliveries": "DELETE FROM tiktok_hook.deliveries",
    "truncate deliveries": "TRUNCATE tiktok_hook.deliveries",
    "draw an id": "SELECT nextval('tiktok_hook.delivery_ids')",
    "clear": "SELECT tiktok_hook.clear_1('Infinity', 9, 9)",
    "remove": "SELECT tiktok_hook.remove_1('{1}')",
    "delete": "SELECT tiktok_hook.delete_1('{1}')",
    "prune": "SELECT tiktok_hook.prune_1(0, 0, 9)",
    "change a status": "SELECT tiktok_hook.set_status_1('{1}', '{500}')",
    "mark as failed": "SELECT tiktok_hook.mark_failed_1(1, 'ben@desk', true)",
    "change marks": "UPDATE tiktok_hook.marks SET failed = false",
    "change marks of an app": "DELETE FROM tiktok_hook.app_marks",
    "change attempts": "UPDATE tiktok_hook.attempts SET status = 200",
    "delete attempts": "DELETE FROM tiktok_hook.attempts",
    "change a queue": "DELETE FROM tiktok_hook.queue",
    "change a cursor": "UPDATE tiktok_hook.attachments SET cursor = 0",
    "take a lock": "UPDATE tiktok_hook.queue_locks SET holder = gen_random_uuid()",
    "take a name": "UPDATE tiktok_hook.apps SET role = current_user",
    "change the bounds": "UPDATE tiktok_hook.history SET keep = 1",
    "make a table": "CREATE TABLE tiktok_hook.mine (id integer)",
    "replace a function": "CREATE OR REPLACE FUNCTION tiktok_hook.is_owner_1() RETURNS boolean "
    "LANGUAGE sql AS 'SELECT true'",
    "dequeue for another": "SELECT tiktok_hook.change_queue_1("
    f"'{ANNA}', '{{dequeue}}', '{{1}}', '{{{TARGET}}}', '{{0}}', '{{0}}')",
    "advance for another": f"SELECT tiktok_hook.advance_1('{ANNA}', gen_random_uuid(), 1, 0, 0, "
    "'{}', '{}', '{}', '{}', '{}', '{}', '{}')",
    "attach for another": f"SELECT tiktok_hook.attach_1('{ANNA}', 't', '', 0, 'e', 'h', 1, 0, "
    "NULL)",
    "forget another": f"SELECT tiktok_hook.leave_1('{ANNA}')",
    "lock for another": f"SELECT tiktok_hook.acquire_1(gen_random_uuid(), '{ANNA}', '')",
    "release for another": f"SELECT tiktok_hook.release_1(gen_random_uuid(), '{ANNA}', '')",
    "end another's process": f"SELECT tiktok_hook.unregister_1(gen_random_uuid(), '{ANNA}')",
    "use another's name": f"SELECT tiktok_hook.own_1('{ANNA}')",
    "hold a lock": "SELECT tiktok_hook.lock_changes_1()",
    "lock rows": "SELECT * FROM tiktok_hook.deliveries FOR KEY SHARE",
    "become the owner": "SET ROLE {database}_owner",
    "become a listener": "SET ROLE {database}_listener",
    "become a teammate": "SET ROLE anna_{database}",
    "log on as a teammate": "SET SESSION AUTHORIZATION anna_{database}",
    "make oneself a listener": "GRANT {database}_listener TO ben_{database}",
    "change a teammate's path": "ALTER ROLE anna_{database} SET search_path = pg_temp",
    "change a teammate's password": "ALTER ROLE anna_{database} PASSWORD 'x'",
    "change everyone's path": "ALTER DATABASE {database} SET search_path = pg_temp",
    "make a schema": "CREATE SCHEMA ben",
    "change a function's path": "ALTER FUNCTION tiktok_hook.own_1(text) SET search_path = pg_temp",
    "own a function": "ALTER FUNCTION tiktok_hook.own_1(text) OWNER TO CURRENT_USER",
    "drop a function": "DROP FUNCTION tiktok_hook.own_1(text)",
    "drop everything": "DROP SCHEMA tiktok_hook CASCADE",
    "make a cast": "CREATE CAST (text AS integer) WITH INOUT",
    "make a trigger": "CREATE TRIGGER t BEFORE INSERT ON tiktok_hook.deliveries "
    "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "make a rule": "CREATE RULE r AS ON INSERT TO tiktok_hook.deliveries DO INSTEAD NOTHING",
    "make a policy": "CREATE POLICY p ON tiktok_hook.deliveries USING (true)",
    "make an index": "CREATE INDEX ON tiktok_hook.deliveries (pg_sleep(1))",
    "publish": "CREATE PUBLICATION p FOR ALL TABLES",
    "run a program": "COPY tiktok_hook.deliveries TO PROGRAM 'id'",
    "read passwords": "SELECT rolpassword FROM pg_authid",
}
"""What a developer tries at the data of another, in SQL; each has to be an error."""


async def test_a_developer_cannot_touch_what_is_not_theirs(team: Team) -> None:
    await _filled(team)
    before = _rows(team)
    allowed = [what for what, sql in FORBIDDEN.items() if team.may("ben", team.filled_in(sql))]
    assert allowed == []
    assert _rows(team) == before


async def test_what_a_developer_names_like_ours_is_not_used_by_our_functions(team: Team) -> None:
    await _filled(team)
    before = _rows(team)
    with psycopg.connect(team.url(team.name("ben")), autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE apps (app text, role text)")
        connection.execute("INSERT INTO apps VALUES (%s, session_user)", (ANNA,))
        connection.execute("CREATE DOMAIN pg_temp.text AS varchar")
        connection.execute(
            "CREATE FUNCTION pg_temp.pg_has_role(name, oid, text) RETURNS boolean "
            "LANGUAGE sql AS 'SELECT true'"
        )
        connection.execute("SET search_path = pg_temp, tiktok_hook, pg_catalog")
        for sql in (FORBIDDEN["forget another"], FORBIDDEN["dequeue for another"]):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.encode())
    assert _rows(team) == before


async def test_nothing_that_a_developer_locks_stops_receiving_or_retention(team: Team) -> None:
    with psycopg.connect(team.url(team.name("ben"))) as ben:
        for number in range(5):
            ben.execute("SELECT pg_advisory_lock(1414416491, %s)", (number,))
        ben.commit()
        for table in ("adding", "pruning", "deliveries"):
            ben.execute(f"SELECT FROM tiktok_hook.{table}".encode())
            ben.execute(f"LOCK TABLE tiktok_hook.{table} IN ACCESS SHARE MODE".encode())
        with team.open("staging") as store:
            assert (await store.add(delivery())).id == 1
        ((kept,),) = team.execute("staging", "SELECT kept FROM tiktok_hook.prune_1(9, 9, 9)")
        assert kept == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ben.execute("LOCK TABLE tiktok_hook.adding IN ROW EXCLUSIVE MODE")


_BEGIN = (
    "SELECT tiktok_hook.begin_attempts_1('ben@desk', gen_random_uuid(), 10, '{{1}}', "
    "'{{{start}}}', '{{f}}', '{{f}}', '{{f}}', ARRAY[E'http://x\\x1b[31m'], ARRAY[E'\\x1b'], "
    "ARRAY[E'P\\x1b'], "
    "ARRAY[$${headers}$$], ARRAY[NULL]::bytea[], '{{{size}}}')"
)
_END = (
    "SELECT tiktok_hook.end_attempts_1('ben@desk', '{{1}}', '{{2}}', '{{t}}', '{{f}}', "
    "'{{{status}}}', ARRAY[$${headers}$$], ARRAY['x'::bytea], '{{f}}', '{{{ms}}}', "
    "ARRAY[E'\\x1b'], ARRAY[E'\\x1b]0;H\\x07'], '{{{size}}}')"
)


async def test_a_developer_cannot_mislead_retention_readers_or_attached_apps(team: Team) -> None:
    """A size of 2 GB in one call had a listener delete the oldest deliveries.

    With another epoch every attached app reports a restore.
    """
    await _filled(team)
    before = _rows(team)
    team.execute("ben", "SELECT tiktok_hook.renew_epoch_1()")
    with pytest.raises(psycopg.errors.UndefinedFunction):
        team.execute("ben", "SELECT tiktok_hook.renew_epoch_1('elsewhere')")
    for start, size in (("1", 2_000_000_000), ("1", -1), ("NaN", 9), ("Infinity", 9), ("-9", 9)):
        with pytest.raises(psycopg.errors.CheckViolation):
            team.execute("ben", _BEGIN.format(start=start, headers="[]", size=size))
    assert _rows(team) == before
    team.execute("ben", _BEGIN.format(start="1", headers="[]", size=9))
    before = _rows(team)
    for status, duration, size in (
        (-5, "1", 9),
        (200, "NaN", 9),
        (200, "1", -10),
        (200, "1", 5000),
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            team.execute("ben", _END.format(status=status, headers="[]", ms=duration, size=size))
    assert _rows(team) == before


LARGE = {
    "a name": "SELECT tiktok_hook.own_1(repeat('n', 201))",
    "an empty name": "SELECT tiktok_hook.own_1('')",
    "a filter": "SELECT tiktok_hook.attach_1('ben@desk', 't', repeat('x', 200000), 0, 'e', 'h', 1, "
    "0, NULL)",
    "a host": "SELECT tiktok_hook.register_1(gen_random_uuid(), 'ben@desk', 'listen', '', "
    "repeat('h', 3000), 1, true, 0, 15)",
    "a clock": "SELECT tiktok_hook.register_1(gen_random_uuid(), 'ben@desk', 'listen', '', 'h', 1, "
    "true, 'NaN', 15)",
    "a kind": "SELECT tiktok_hook.register_1(gen_random_uuid(), 'ben@desk', E'\\x1b', '', 'h', 1, "
    "true, 0, 15)",
    "an address": _BEGIN.format(start="1", headers="[]", size=9).replace(
        "E'http://x\\x1b[31m'", "repeat('x', 600000)"
    ),
    "a response": _END.format(status=200, headers="[]", ms="1", size=9).replace(
        "'x'::bytea", "decode(repeat('00', 3000000), 'hex')"
    ),
}
"""What a developer writes of their own, so large or odd that everyone's lists would suffer."""


async def test_a_developer_writes_nothing_that_makes_everyone_s_lists_long(team: Team) -> None:
    """One response of 200 MB had `events --json` take two minutes and print 280 MB."""
    await _filled(team)
    team.execute("ben", _BEGIN.format(start="1", headers="[]", size=9))
    before = _rows(team)
    allowed = []
    for what, sql in LARGE.items():
        try:
            team.execute("ben", sql)
        except psycopg.errors.CheckViolation:
            continue
        allowed.append(what)
    assert allowed == []
    assert _rows(team) == before


async def test_no_lease_is_longer_than_a_minute(team: Team) -> None:
    """A lease of a century kept `team leave` from removing an app whose user was shut out."""
    await _filled(team)
    team.execute(
        "ben",
        "SELECT tiktok_hook.register_1(gen_random_uuid(), 'ben@desk', 'attach', '', 'h', 1, true, "
        "0, 3e9)",
    )
    left = "SELECT max(held_until) - now() <= interval '60 s' FROM tiktok_hook.processes"
    assert team.execute("ben", left) == [(True,)]


async def test_whatever_a_teammate_wrote_a_delivery_can_be_read(team: Team) -> None:
    await _filled(team)
    team.execute("ben", _BEGIN.format(start="1", headers="garbage", size=9))
    team.execute("ben", _END.format(status=200, headers='[["a"]]', ms="1", size=9))
    url = team.url(team.name("anna"))
    for words in (["show", "1"], ["show", "1", "--json"], ["export", "1", "--format", "har"]):
        shown = invoke(*words, "--db", url)
        assert shown.exit_code == 0, shown.output
        assert "\x1b" not in shown.output


async def test_no_exported_script_sends_to_an_address_that_a_teammate_recorded(team: Team) -> None:
    with team.open("staging") as store:
        await store.add(delivery(event_body()))
    team.execute(
        "ben", _BEGIN.format(start="1", headers="[]", size=9).replace("x\\x1b[31m", "evil")
    )
    url = team.url(team.name("anna"))
    for words in (["--format", "curl"], ["--format", "pytest"], ["--format", "curl", "--redact"]):
        exported = invoke("export", "1", *words, "--db", url)
        assert exported.exit_code == 0, exported.output
        assert "evil" not in exported.stdout


async def test_a_developer_cannot_end_the_attempt_of_another(team: Team) -> None:
    await _filled(team)
    with team.open("anna", ANNA) as store:
        begun = await store.begin_attempt(attempt(1))
        before = _rows(team)
        with team.open("ben", BEN) as other:
            await other.end_attempt(replace(begun, status=200, duration_ms=1.0))
        assert _rows(team) == before


def test_what_another_left_open_is_ended_by_its_owner_and_by_themselves_only(team: Team) -> None:
    asyncio.run(_filled(team))
    team.server.execute(
        "UPDATE tiktok_hook.attempts SET duration_ms = NULL, owner = gen_random_uuid()",
        team.database,
    )
    team.open("ben", BEN).close()
    with open_history(team.url(team.name("ben"))) as history:
        assert not history.attempts(1)[0].ended
        team.open("anna", ANNA).close()
        assert history.attempts(1)[0].error == "cut"


async def test_a_developer_reads_attaches_and_replays(team: Team) -> None:
    await _filled(team)
    with team.open("ben", BEN) as store:
        assert [each.id for each in store.history().page()] == [1]
        begun = await store.begin_attempt(attempt(1, replay=True))
        await store.end_attempt(replace(begun, status=200, duration_ms=1.0))
        assert [each.id for each in store.history().page(Filter(replays=True))] == [1]
        assert await store.queue_lock(ATTACHMENT).acquire()


async def test_a_developer_cannot_receive_import_or_clear(team: Team) -> None:
    await _filled(team)
    with team.open("ben") as store:
        for attempted in (store.add(delivery()), store.add_many([delivery()])):
            with pytest.raises(StoreError, match="may read this history but not add to it"):
                await attempted
        with pytest.raises(StoreError, match="only its owner may"):
            await store.clear()
        with pytest.raises(StoreError, match="only its owner may"):
            await store.clear(Filter(ids=(1,)))
    cleared = await asyncio.to_thread(invoke, "clear", "--yes", "--db", team.url(team.name("ben")))
    assert cleared.exit_code == 5
    assert "only its owner may delete" in cleared.stderr
    with pytest.raises(StoreError, match="may read this history but not add to it") as caught:
        open_store(team.url(team.name("ben")))
    assert "attach" in caught.value.hint


async def test_a_listener_adds_and_prunes_and_deletes_nothing_else(team: Team) -> None:
    await _filled(team)
    with team.open("staging") as store:
        await store.add(delivery())
        store.set_status(2, 200)
        (imported,) = await store.add_many([delivery(source=Source.IMPORT)])
        assert await store.remove([1, 2, imported.id]) == 1
        for where in (Filter(), Filter(ids=(1,)), Filter(source=Source.TIKTOK)):
            with pytest.raises(StoreError, match="only its owner may"):
                await store.clear(where)
        assert [each.id for each in store.history().page()] == [2, 1]
    team.server.execute("UPDATE tiktok_hook.history SET keep = 1", team.database)
    with open_store(team.url(team.name("staging"))) as store:
        await store.add(delivery(status=200))
        await store.flush()
    allowed = {"remove", "prune", "change a status", "become a listener"}
    found = {what for what, sql in FORBIDDEN.items() if team.may("staging", team.filled_in(sql))}
    assert found == allowed


@pytest.mark.parametrize(
    ("who", "line"),
    [
        ("anna", "may read, attach and replay, and not receive (role developer)"),
        ("staging", "may receive, import, attach and replay (role listener)"),
    ],
)
async def test_doctor_names_the_rights_of_a_member(team: Team, who: str, line: str) -> None:
    before = team.server.execute("SELECT * FROM tiktok_hook.apps", team.database)
    found = {each.id: each for each in await history.database(Subject(db=team.url(team.name(who))))}
    assert {each.status for each in found.values()} == {"pass"}
    assert "writable, 0 deliveries" in found["database"].found
    assert found["database-rights"].found == f"{team.name(who)} {line}"
    assert team.server.execute("SELECT * FROM tiktok_hook.apps", team.database) == before


async def test_doctor_names_a_user_who_has_no_role(team: Team) -> None:
    stranger = team.name("stranger")
    team.server.execute(f"CREATE ROLE {stranger} LOGIN")
    (finding,) = await history.database(Subject(db=team.url(stranger)))
    assert finding.status == "fail"
    assert "permission denied for schema tiktok_hook" in finding.found
    assert "team add" in finding.next_step


def test_two_users_of_one_machine_have_apps_of_their_own(team: Team) -> None:
    with ExitStack() as stack:
        stores = [stack.enter_context(team.open(each)) for each in ("anna", "ben", "anna")]
        first, second, third = (each.app for each in stores)
        assert second == f"{first}/{team.name('ben')}"
        assert first == third
        with open_history(team.url(team.name("ben"))) as history:
            assert history.app == second


async def test_two_users_of_one_machine_attach_without_naming_their_apps(team: Team) -> None:
    words = ("attach", "-f", "9", "--no-inspect", "--format", "json", "--timeout", "0.1")
    with team.open("staging") as listener:
        done = [
            await asyncio.to_thread(invoke, *words, "--db", team.url(team.name(each)))
            for each in ("anna", "ben", "anna")
        ]
        assert [each.exit_code for each in done] == [0, 0, 0], done
        apps = [json.loads(each.stdout.splitlines()[0])["app"] for each in done]
        assert apps == [f"{listener.app}/{team.name(each)}" for each in ("anna", "ben", "anna")]


def test_a_name_of_another_user_is_not_taken_over(team: Team) -> None:
    team.open("anna", ANNA).close()
    with pytest.raises(StoreError, match=f"{ANNA} belongs to the database user"):
        team.open("ben", ANNA)


def test_status_lists_who_is_there(team: Team) -> None:
    asyncio.run(_filled(team))
    with open_store(team.url(team.name("staging"))):
        shown = invoke("team", "status", team.url(team.name("ben")))
        status = json.loads(invoke("team", "status", team.url(SUPERUSER), "--json").stdout)
    assert shown.exit_code == 0, shown.output
    assert "connected directly" in shown.stdout
    assert re.search(rf"{ANNA} \({team.name('anna')}\): not running", shown.stdout)
    assert f"at #1, up to date, 1 queued; to {TARGET}" in shown.stdout
    assert [each["kind"] for each in status["members"]] == ["listen", "attach"]
    assert [each["running"] for each in status["members"]] == [True, False]
    assert abs(status["members"][0]["clock_seconds"]) < 2
    assert (status["deliveries"], status["newest_id"], status["keep"]) == (1, 1, 100_000)


@pytest.mark.parametrize(
    ("match", "behind"),
    [("", 5), ("post.publish.*", 3), ("user:u-2", 2), ("content.tags:a", 1), ("no filter: {", 5)],
)
async def test_an_app_is_behind_by_what_it_is_still_to_get(
    team: Team, match: str, behind: int
) -> None:
    with team.open("staging") as store:
        for event, user, state in (
            ("post.publish.complete", "u-1", State.VALID),  # looked at
            ("post.publish.complete", "u-1", State.VALID),
            ("post.publish.failed", "u-2", State.STALE),
            ("authorization.removed", "u-2", State.UNCHECKED),
            ("post.publish.complete", "u-2", State.INVALID),  # to be forwarded to no app
        ):
            await store.add(delivery(event_body(event, user=user), state=state))
        await store.add(delivery(event_body("post.publish.complete"), source=Source.IMPORT))
        await store.add(delivery(event_body("post.publish.complete", tags="a")))
        await store.add(delivery(event_body("tiktok.ping")))
    with team.open("anna", ANNA) as store:
        epoch = store.history().attachment().epoch
        await store.attach(
            Attachment(
                app=ANNA, target=TARGET, match=match, cursor=1, epoch=epoch, host="laptop", pid=1,
                missed=0,
            )
        )  # fmt: skip
    (member,) = open_team(locate(team.server.url(team.database), where="")).overview().members
    assert member.behind == behind


def test_status_lists_a_listener_with_a_name_as_a_listener(team: Team) -> None:
    with open_store(team.url(team.name("staging")), app="second@staging"):
        status = json.loads(invoke("team", "status", team.url(SUPERUSER), "--json").stdout)
    assert [(each["app"], each["kind"]) for each in status["members"]] == [
        ("second@staging", "listen")
    ]


def test_leave_forgets_an_app_that_is_not_running(team: Team) -> None:
    asyncio.run(_filled(team))
    url = team.url(SUPERUSER)
    with team.open("anna", ANNA):
        rejected = invoke("team", "leave", ANNA, url)
        assert (rejected.exit_code, "is running on" in rejected.stderr) == (2, True)
    assert invoke("team", "leave", ANNA, team.url(team.name("ben"))).exit_code == 5
    assert invoke("team", "leave", ANNA, url).exit_code == 0
    assert invoke("team", "leave", ANNA, url).exit_code == 2
    rows = _rows(team)
    assert (rows["attachments"], rows["queue"]) == ([], [])
    assert len(rows["attempts"]) == 1


def test_create_again_changes_the_bounds(team: Team) -> None:
    url = team.url(SUPERUSER)
    shown = invoke("team", "create", url, "--keep", "500", "--keep-bytes", str(1 << 30))
    assert "500 deliveries and 1.0 GiB" in shown.stdout
    assert "owner" not in shown.stdout.split("Roles:")[1].replace("_owner", "")
    assert "version 1" in invoke("team", "upgrade", url).stdout


def test_a_password_is_shown_once_and_lets_in(server: PostgresServer, database: str) -> None:
    shown = invoke("team", "create", server.url(database)).stdout
    (line,) = re.findall(r"^  (\S+:\d+:\S+)$", shown, re.MULTILINE)
    _, _, name, user, password = line.split(":")
    assert (name, user) == (database, f"{database}_owner")
    assert shown.count(password) == 1
    assert len(password) >= 20
    stored = server.execute(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{user}'")
    assert str(stored[0][0]).startswith("SCRAM-SHA-256$")
    owners = server.execute(
        "SELECT tableowner, count(*) FROM pg_tables WHERE schemaname = 'tiktok_hook' GROUP BY 1",
        database,
    )
    assert [each for each, _ in owners] == [user]


def test_the_owner_may_do_everything(server: PostgresServer, database: str) -> None:
    invoke("team", "create", server.url(database))
    url = server.url(database, user=f"{database}_owner")
    with open_store(url) as store:
        asyncio.run(_add_and_clear(store))


async def _add_and_clear(store: Store) -> None:
    await store.add(delivery())
    assert await store.clear() == 1


def test_without_the_right_to_make_tables_the_way_is_named(
    server: PostgresServer, database: str
) -> None:
    user = f"guest_{database}"
    server.execute(f"CREATE ROLE {user} LOGIN")
    with pytest.raises(StoreError, match="may not create") as caught:
        open_store(server.url(database, user=user))
    assert "team create" in caught.value.hint
    rejected = invoke("team", "create", server.url(database, user=user))
    assert rejected.exit_code == 5
    assert "create no roles" in rejected.stderr
    assert f'CREATE ROLE "{database}_developer" NOLOGIN' in rejected.stderr


def test_a_user_without_superuser_s_rights_makes_a_team_too(
    server: PostgresServer, database: str
) -> None:
    user = f"boss_{database}"
    server.execute(f"CREATE ROLE {user} LOGIN CREATEROLE")
    server.execute(f"GRANT CREATE ON DATABASE {database} TO {user}")
    url = server.url(database, user=user)
    shown = invoke("team", "create", url)
    assert shown.exit_code == 0, shown.output
    assert f"owned by {user}" in shown.stdout
    assert invoke("team", "add", f"dev_{database}", url, "--role", "developer").exit_code == 0
    with open_history(server.url(database, user=f"dev_{database}")) as history:
        assert history.page() == []


def test_the_steps_of_the_page_work_for_the_users_that_they_name(
    server: PostgresServer, database: str
) -> None:
    lines = re.findall(r"^\$ tiktok-hook (team .*)$", (DOCS / "team.md").read_text(), re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        user = re.search(r"postgresql://(\w+)@db.example.com/hooks", line)
        assert user is not None
        url = server.url(database, user=user[1].replace("hooks_", f"{database}_"))
        named = re.sub(r"(?<=team add )(\w+)", rf"\1_{database}", line.replace(user[0], url))
        done = invoke(*named.split())
        assert done.exit_code == 0, done.output


def test_the_owner_gives_roles_to_users_that_exist_and_makes_none(
    server: PostgresServer, database: str
) -> None:
    invoke("team", "create", server.url(database))
    owner, name = server.url(database, user=f"{database}_owner"), f"dora_{database}"
    words = ("team", "add", name, "--role", "developer", "--db", owner)
    rejected = invoke(*words)
    assert rejected.exit_code == 5
    assert f"lets {database}_owner make no database users" in rejected.stderr
    assert "administrator" in rejected.stderr
    server.execute(f"CREATE ROLE {name} LOGIN")
    assert "existed before" in invoke(*words).stdout
    with open_history(server.url(database, user=name)) as history:
        assert history.page() == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create", "team.db"], "takes no name"),
        (["status", "--db", "team.db"], "is a file"),
        (["add", "anna", "postgresql://x/y"], "--role"),
        (["add", "Anna!", "postgresql://x/y", "--role", "developer"], "cannot be the name"),
        (["leave", "postgresql://x/y"], "one name"),
        (["status", "postgresql://x/y", "--keep", "5"], "--keep belongs to team create"),
        (["create", "postgresql://x/y", "--keep", str(1 << 63)], "1<=x<="),
        (["create", "postgresql://x/y", "--keep-bytes", str(1 << 63)], "1048576<=x<="),
    ],
    ids=["name", "file", "role", "hostile name", "no name", "keep", "too many", "too many bytes"],
)
def test_wrong_usage_is_named(words: list[str], message: str) -> None:
    result = invoke("team", *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_the_roles_of_the_help_are_the_real_ones() -> None:
    assert ROLES == _ROLES


async def test_a_developer_sees_only_the_users_that_a_policy_allows(team: Team) -> None:
    with team.open("staging") as store:
        for user in ("u-1", "u-2"):
            stored = await store.add(delivery(event_body(user=user), status=200))
            begun = await store.begin_attempt(attempt(stored.id))
            await store.end_attempt(replace(begun, status=200, duration_ms=1.0))
    page = (DOCS / "team.md").read_text()
    (script,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    script = script.replace("hooks_", f"{team.database}_")
    script = script.replace("'anna'", f"'{team.name('anna')}'").replace("act.example12345", "u-1")
    await asyncio.to_thread(team.server.execute, script, team.database)
    with open_history(team.url(team.name("anna"))) as history:
        assert [each.id for each in history.page()] == [1]
        assert history.attempts(2) == []
        assert history.counts().received == 1
    with open_history(team.url(team.name("ben"))) as history:
        assert history.page() == []
    with team.open("staging") as store:
        assert (await store.add(delivery())).id == 3
        assert [each.id for each in store.history().page()] == [3, 2, 1]


@pytest.fixture
def odd_database(server: PostgresServer) -> Iterator[str]:
    """A database whose name is long, and has characters that a URL has to escape."""
    name = f"hooks {uuid.uuid4().hex}: 100 % of a tëam @ wörk"[:61]
    server.execute(f'CREATE DATABASE "{name}"')
    yield name
    server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_roles_and_addresses_of_a_database_with_an_odd_name_can_be_used(
    server: PostgresServer, odd_database: str
) -> None:
    url = server.url(quote(odd_database, safe=""))
    created = invoke("team", "create", url)
    assert created.exit_code == 0, created.output
    named = re.search(r"Roles: (.+) receives, (.+) reads", created.stdout)
    assert named is not None
    existing = {role for (role,) in server.execute("SELECT rolname FROM pg_roles")}
    assert set(named.groups()) <= existing
    user = f"anna_{uuid.uuid4().hex[:8]}"
    added = invoke("team", "add", user, url, "--role", "developer")
    assert added.exit_code == 0, added.output
    address = re.search(r"--db (\S+)$", added.stdout, re.MULTILINE)
    assert address is not None
    with open_history(address[1]) as history:
        assert history.newest_id() == 0
