"""What a user sees when there is no tunnel."""

import pytest

from tests.tunnel.conftest import SECRET, TOKEN
from tiktok_hook.tunnel import rejections
from tiktok_hook.tunnel.protocol import NO_POOLING, Cause, Rejected
from tiktok_hook.tunnel.rejections import Rejection

SERVER = "connect.example.com:443"


def explain(
    message: str = "",
    *,
    code: str | None = None,
    cause: Cause | None = None,
    domain: str | None = None,
    cas: str | None = None,
    proxy: str | None = None,
) -> Rejection:
    rejected = Rejected("failed to connect session", message, code, cause)
    return rejections.explain(rejected, domain=domain, server=SERVER, cas=cas, proxy=proxy)


KNOWN = {
    4018: ("wants an authtoken", "your-authtoken", False),
    105: ("does not look like one", "without quotes", False),
    106: ("of an old kind", "your-authtoken", False),
    107: ("does not know this authtoken", "your-authtoken", False),
    102: ("payment failed", "billing", False),
    103: ("suspended", "support", False),
    108: ("as many agent sessions", "agents", True),
    348: ("as many agent sessions", "agents", True),
    115: ("IP policy", "network", True),
    120: ("too old", "pip install --upgrade ngrok", False),
    121: ("too old", "pip install --upgrade ngrok", False),
    123: ("not verified", "settings", False),
    8014: ("abuse", "support", False),
    9040: ("address", "VPN", True),
    9009: ("proxy", "http_proxy", False),
    334: ("already online from somewhere else", "--pooling", True),
    6030: ("without pooling", "--pooling", True),
    18019: ("does not include endpoint pooling", "Leave out --pooling", False),
    18020: ("as many pooled endpoints", "Stop one of the other listeners", True),
    313: ("plan does not allow", "--domain", False),
    319: ("not reserved", "Reserve", False),
    320: ("belongs to another", "authtoken", False),
    324: ("as many endpoints", "endpoints", True),
    349: ("too fast", "Wait", True),
    9036: ("cannot use", "host alone", False),
    364: ("webhook provider", "--verify-webhook", False),
    7030: ("webhook provider", "--verify-webhook", False),
    7027: ("no secret", "TIKTOK_CLIENT_SECRET", False),
    15001: ("longer than", "pasted", False),
    9016: ("may not verify webhooks", "--verify-webhook", False),
    7031: ("may not verify webhooks", "--verify-webhook", False),
    2201: ("traffic policy", "--traffic-policy", False),
}


@pytest.mark.parametrize("number", KNOWN)
def test_a_known_code_has_a_sentence_a_hint_and_whether_it_heals(number: int) -> None:
    message, hint, heals = KNOWN[number]
    rejection = explain("what ngrok says", code=f"ERR_NGROK_{number}")
    assert message in rejection.message
    assert rejection.message.endswith(f"(ERR_NGROK_{number}).")
    assert hint in rejection.hint
    assert rejection.heals is heals


@pytest.mark.parametrize("number", [334, 6030, 313, 319, 320, 9036])
def test_a_rejected_domain_is_named(number: int) -> None:
    assert "x.ngrok.app" in explain(code=f"ERR_NGROK_{number}", domain="x.ngrok.app").message


def test_a_domain_that_ngrok_chose_is_named_as_ngrok_writes_it() -> None:
    reason = "The endpoint 'https://dev-one.ngrok-free.app' is already online."
    message = explain(reason, code="ERR_NGROK_334").message
    assert message.startswith("dev-one.ngrok-free.app is already online")
    assert explain(code="ERR_NGROK_334").message.startswith("The account's domain is")


@pytest.mark.parametrize("number", [105, 106, 107])
def test_ngroks_words_about_a_token_are_never_repeated(number: int) -> None:
    rejection = explain(f"The token {TOKEN} is bad.", code=f"ERR_NGROK_{number}")
    assert TOKEN not in f"{rejection.message}{rejection.hint}"


def test_what_is_wrong_with_a_traffic_policy_is_repeated() -> None:
    assert "line 3: no such action" in explain("line 3: no such action", code="ERR_NGROK_2201").hint


@pytest.mark.parametrize("code", ["ERR_NGROK_77777", "ERR_NGROK_x", "ERR_NGROK_²", "ODD"])
def test_an_unknown_code_shows_ngroks_words_and_its_page(code: str) -> None:
    rejection = explain("Something new.\nIn two lines.", code=code)
    assert rejection.message == f"ngrok rejected the tunnel: Something new. In two lines ({code})."
    assert rejection.hint == f"See https://ngrok.com/docs/errors/{code.lower()}"
    assert rejection.heals


def test_hostile_words_are_made_visible_and_bounded() -> None:
    rejection = explain("\x1b[31m\u202e" + "x" * 5000, code="ERR_NGROK_77777")
    assert "\x1b" not in rejection.message
    assert "\u202e" not in rejection.message
    assert len(rejection.message) < 400


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("dns", "The name connect.example.com cannot be found (DNS)."),
        ("refused", f"{SERVER} refuses the connection."),
        ("timeout", f"{SERVER} does not answer."),
        ("unreachable", f"{SERVER} cannot be reached from here."),
        ("ok", f"The connection to {SERVER} could not be made, but a second try went through."),
    ],
)
def test_each_cause_of_no_connection_has_its_words(cause: Cause, words: str) -> None:
    rejection = explain("failed to establish tcp connection", cause=cause)
    assert rejection.message == words
    assert rejection.hint
    assert rejection.heals


def test_a_proxy_variable_is_named_when_there_is_no_connection() -> None:
    assert explain(cause="timeout", proxy="ALL_PROXY").hint.startswith("ALL_PROXY is set")


@pytest.mark.parametrize(
    ("cas", "words"),
    [
        (None, "ngrok's own"),
        ("trusted", "ngrok's own"),
        ("host", "this system's"),
        ("/etc/ca.pem", "/etc/ca.pem"),
    ],
)
def test_a_tls_failure_names_what_was_trusted(cas: str | None, words: str) -> None:
    rejection = explain("tls handshake error", cas=cas)
    assert f"not trusted ({words})" in rejection.message
    assert "--connect-cas" in rejection.hint


def test_a_hang_up_while_signing_in_is_reported() -> None:
    assert "hung up" in explain("failed to deserialize rpc response").message


def test_an_unknown_failure_keeps_the_sdks_words() -> None:
    assert explain("something odd").message == "No tunnel: something odd."
    assert explain().message == "No tunnel: failed to connect session."


def test_an_sdk_without_pooling_cannot_heal() -> None:
    rejection = explain(code=NO_POOLING)
    assert "Python 3.12" in rejection.hint
    assert not rejection.heals


@pytest.mark.parametrize(
    ("code", "stderr", "message", "hint"),
    [
        (1, "Traceback\n\nValueError: odd\n", "exit code 1", "Its last words: ValueError: odd"),
        (-6, "", "signal 6", "Try again."),
        (None, " \n", "exit code None", "Try again."),
    ],
)
def test_a_crash_shows_its_last_words(
    code: int | None, stderr: str, message: str, hint: str
) -> None:
    rejection = rejections.ended(code, stderr)
    assert message in rejection.message
    assert rejection.hint == hint


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("transport error", "The connection to ngrok was lost (transport error)."),
        (
            'Custom { error: ListenerClosed { message: "why", error_code: Some("ERR_NGROK_1") } }',
            "ngrok took the URL offline: why (ERR_NGROK_1).",
        ),
        (
            'ListenerClosed { message: "", error_code: None }',
            "ngrok took the URL offline: no reason given.",
        ),
    ],
)
def test_a_loss_is_one_sentence(error: str, words: str) -> None:
    assert rejections.lost(error) == words


@pytest.mark.parametrize(
    "text", [f"a {SECRET} b", f"{TOKEN}{SECRET}", repr(f'"{SECRET}"')], ids=["in", "both", "quoted"]
)
def test_secrets_are_hidden_wherever_they_stand(text: str) -> None:
    hidden = rejections.redact(text, (TOKEN, SECRET, None, ""))
    assert SECRET not in hidden
    assert TOKEN not in hidden
    assert "[hidden]" in hidden


def test_a_secret_with_a_line_break_is_hidden_as_a_literal_too() -> None:
    assert rejections.redact(repr("in se\ncret"), ("se\ncret",)) == "'in [hidden]'"


def test_text_without_a_secret_stays() -> None:
    assert rejections.redact("nothing here", (TOKEN, None, "")) == "nothing here"
