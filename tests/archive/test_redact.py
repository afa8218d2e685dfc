import json
import re

import pytest

from tests.archive.samples import ATTEMPTS, AWKWARD, entry
from tests.store.samples import delivery, event_body
from tiktok_hook import archive
from tiktok_hook.archive import Entry
from tiktok_hook.delivery import attempt_json, delivery_json, dump
from tiktok_hook.events import samples

USER = "-000ExampleOpenIdExampleOpenIdExampl"
DIGEST = "ab" * 32


def redacted(*entries: Entry) -> list[Entry]:
    return list(archive.redacted(lambda: entries))


def text_of(each: Entry) -> str:
    shapes = [delivery_json(each.delivery), *(attempt_json(one) for one in each.attempts)]
    return b"".join(dump(shape) for shape in shapes).decode()


SENT = entry(
    delivery(
        event_body(user=USER),
        path=f"/users/{USER}",
        query="client_key=awexampleclient1&open_id=short",
        remote_addr="203.0.113.77",
        headers=(
            ("Tiktok-Signature", f"t=1756684801,s={DIGEST}"),
            ("X-Forwarded-For", "203.0.113.77, 2a01:4f8::1"),
            ("Authorization", "Bearer abcdefghijklmnopqrst"),
            ("Cookie", "session=abcdefghijklmnopqrst"),
        ),
    ),
    1,
    [
        {
            "status": 401,
            "duration_ms": 1.0,
            "body": f"expected {DIGEST} for {USER} of awexampleclient1".encode(),
            "request_body": event_body(user=USER),
        }
    ],
)


@pytest.mark.parametrize(
    "private",
    [
        USER,
        "awexampleclient1",
        "=short",
        DIGEST,
        "203.0.113.77",
        "2a01:4f8::1",
        "abcdefghijklmnopqrst",
    ],
)
def test_nothing_private_is_left(private: str) -> None:
    assert private in text_of(SENT)
    (found,) = redacted(SENT)
    assert private not in text_of(found)


def test_what_is_not_private_stays_as_it_was() -> None:
    (found,) = redacted(SENT)
    was, now = (json.loads(each.delivery.body) for each in (SENT, found))
    for name in ("event", "create_time", "content"):
        assert was[name] == now[name]
    assert (
        found.delivery.header(
            "Tiktok-Signature",
        )
        is not None
    )
    assert re.fullmatch(
        "t=1756684801,s=[0-9a-f]{64}", found.delivery.header("Tiktok-Signature") or ""
    )
    assert found.attempts[0].status == 401


def user_of(each: Entry) -> str:
    assert each.delivery.event is not None
    return each.delivery.event.user_openid or ""


def test_the_same_value_gets_the_same_pseudonym_everywhere() -> None:
    same, different = delivery(event_body(user=USER)), delivery(event_body(user="else"))
    first, second, third = redacted(SENT, entry(same, 2), entry(different, 3))
    assert user_of(first) == user_of(second) != user_of(third)
    assert user_of(first) in first.delivery.path
    assert user_of(first) in first.attempts[0].body.decode()


def test_an_id_is_replaced_in_deliveries_before_the_one_that_names_it() -> None:
    early = entry(delivery(f'{{"event":"a","note":"{USER}"}}'.encode()), 1)
    first, _ = redacted(early, entry(delivery(event_body(user=USER)), 2))
    assert USER not in first.delivery.body.decode()


@pytest.mark.parametrize(
    ("key", "form"),
    [
        ("awexampleclient1", "aw[a-z]+[0-9]+"),
        ("sbawexampleclient1", "sbaw[a-z]+[0-9]+"),
        ("7545201234567890123", "[0-9]{19}"),
    ],
    ids=["production", "sandbox", "business"],
)
def test_the_pseudonym_of_a_client_key_keeps_its_environment(key: str, form: str) -> None:
    body = json.dumps({"client_key": key, "event": "a"}).encode()
    (found,) = redacted(entry(delivery(body)))
    assert found.delivery.event
    assert re.fullmatch(form, found.delivery.event.client_key or "")
    assert len(found.delivery.event.client_key or "") == len(key)


@pytest.mark.parametrize(
    "body",
    [
        b'{"event":"a","user_openid":1234567890123456789}',
        b'{"event":"a","content":"{\\"open_id\\":\\"short\\",\\"n\\":1}"}',
        b'{"event":"a","content":{"creator_id":-5}}',
        b'{"event": "a", "user_openid" : "a\\"b\\\\"}',
        b'{"event":"a","content":"{\\"open_id\\":\\"short\\\\\\\\\\",\\"n\\":\\"\\\\\\"\\"}"}',
        b'{"event":"a","user_openid":"","client_key":""}',
        b'{"event":"a","user_openid":null}',
    ],
)
def test_json_stays_json_with_the_same_keys(body: bytes) -> None:
    (found,) = redacted(entry(delivery(body)))
    was, now = json.loads(body), json.loads(found.delivery.body)
    assert was.keys() == now.keys()
    assert {key: type(value) for key, value in was.items()} == {
        key: type(value) for key, value in now.items()
    }
    for private in (b"1234567890123456789", b"short", b"-5", b'a\\"b'):
        assert private not in found.delivery.body


@pytest.mark.parametrize("name", AWKWARD)
def test_whatever_came_can_be_redacted(name: str) -> None:
    sent = entry(AWKWARD[name], 1, ATTEMPTS)
    (found,) = redacted(sent)
    assert len(found.attempts) == len(sent.attempts)
    if b"client_key" not in sent.delivery.body:
        assert found.delivery.body == sent.delivery.body


def test_this_machines_own_address_stays() -> None:
    (found,) = redacted(entry(delivery(remote_addr="127.0.0.1")))
    assert found.delivery.remote_addr == "127.0.0.1"


def test_redacting_what_is_redacted_already_changes_no_length() -> None:
    once = redacted(SENT)
    twice = redacted(*once)
    assert len(twice[0].delivery.body) == len(once[0].delivery.body)


@pytest.mark.parametrize(
    "body",
    [
        b'"user_id":"' + b'\\"' * 400_000,
        b"\\" * 800_000,
        b'"user_id":"' + b"\\" * 800_000,
        b'"user_id":' * 80_000,
        b"a" * 800_000,
        b"uid=1234567:" * 70_000,
        b'name="uid"\r\n' * 70_000,
        b"<uid " * 160_000,
        b"uid=>1" * 130_000,
    ],
    ids=[
        "quotes",
        "backslashes",
        "open-end",
        "keys",
        "one-word",
        "pairs",
        "parts",
        "elements",
        "labels",
    ],
)
@pytest.mark.realtime
@pytest.mark.timeout(10)
def test_no_body_takes_long(body: bytes) -> None:
    sent = delivery(body, headers=(("X-Forwarded-For", body.decode()), ("Cookie", body.decode())))
    assert len(redacted(entry(sent))) == 1


def test_the_sender_and_the_receiver_of_a_business_event_are_replaced() -> None:
    body = samples()["im_receive_msg"]
    message = entry(delivery(body))
    later = entry(delivery(b'{"event":"x.y","content":"{\\"note\\":\\"example.shop\\"}"}'))
    (found, other) = redacted(message, later)
    for private in ("example.user", "example.shop", "user-0001", "-000ExampleBusiness"):
        assert private in body.decode()
        assert private not in text_of(found)
        assert private not in text_of(other)
    content = json.loads(json.loads(found.delivery.body)["content"])
    assert content["from_user"]["role"] == "personal_account"


def test_from_and_to_of_other_events_stay() -> None:
    body = b'{"event":"x.y","content":"{\\"from\\":\\"monday\\",\\"to\\":\\"friday\\"}"}'
    (found,) = redacted(entry(delivery(body)))
    assert found.delivery.body == body
