"""ngrok's own config file, in both layouts."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import fuzzing
from tiktok_hook import ngrok_config
from tiktok_hook.errors import UsageError
from tiktok_hook.ngrok_config import NgrokConfig, read

TOKEN = "2exampleToken0123456789abcd_5EXAMPLEexample123456"

LAYOUT_2 = f"""\
version: "2"
authtoken: {TOKEN}
region: eu
root_cas: host
server_addr: tunnel.example.com:443
tunnels:
  tiktok: {{proto: http, addr: 3000}}
"""
LAYOUT_3 = f"""\
# my agent
version: 3
agent:
  # from the dashboard
  authtoken: {TOKEN}
  connect_url: connect.example.com:443
  connect_cas: trusted
endpoints:
  - name: tiktok
    upstream: {{url: 3000}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ngrok.yml"


@pytest.mark.parametrize(
    ("text", "url", "cas"),
    [
        (LAYOUT_2, "tunnel.example.com:443", "host"),
        (LAYOUT_3, "connect.example.com:443", "trusted"),
        (f"version: 2\nauthtoken: '{TOKEN}'\n", None, None),
        (f"version: 3\nagent: {{authtoken: {TOKEN}}}\ntunnels: {{a: {{addr: 1}}}}\n", None, None),
        (f"version: 3\nauthtoken: {TOKEN}\n", None, None),
        (f"\ufeffauthtoken: {TOKEN}\r\n", None, None),
        (f"agent:\nauthtoken: {TOKEN}\n", None, None),
    ],
    ids=["2", "3", "2-short", "3-flow", "mixed", "windows", "empty-agent"],
)
def test_both_layouts_are_read(file: Path, text: str, url: str | None, cas: str | None) -> None:
    file.write_text(text, "utf-8")
    assert read(file) == NgrokConfig(TOKEN, url, cas, file)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "authtoken:\n",
        "authtoken: ''\n",
        "authtoken: [a]\n",
        "agent: 3\n",
        f"authtoken: 0x{'9' * 5000}",
    ],
)
def test_a_file_without_a_token_has_none(file: Path, text: str) -> None:
    file.write_text(text)
    assert read(file) == NgrokConfig(path=file)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("authtoken: ${NGROK_AUTHTOKEN}\n", "names the variable NGROK_AUTHTOKEN, which ngrok does"),
        ("authtoken: $NGROK_AUTHTOKEN\n", "names the variable NGROK_AUTHTOKEN, which ngrok does"),
        ("authtoken: '%NGROK_TOKEN%'\n", "names the variable NGROK_TOKEN, which ngrok does not"),
        ("agent:\n  authtoken: <YOUR_AUTHTOKEN>\n", "has a placeholder in place of an authtoken"),
        ("authtoken: YOUR_AUTHTOKEN_HERE\n", "has a placeholder in place of an authtoken"),
        ("authtoken: '{{ ngrok_token }}'\n", "has a placeholder in place of an authtoken"),
        ("authtoken: '[your token]'\n", "has a placeholder in place of an authtoken"),
        ("agent:\n  auth_token: 2secret\n", "has no authtoken: it has auth_token, which is not"),
        ("auth-token: 2secret\n", "has no authtoken: it has auth-token, which is not ngrok's"),
        ("authToken: 2secret\n", "has no authtoken: it has authToken, which is not ngrok's"),
        ("api_key: 2secret\n", "has no authtoken: it has an API key, which opens no tunnel"),
        ("agent:\n  - authtoken: 2secret\n", "has no authtoken: agent is a list"),
    ],
    ids=str,
)
def test_why_there_is_no_token_is_reported_without_a_value(
    file: Path, text: str, problem: str
) -> None:
    file.write_text(text)
    found = read(file)
    assert found.authtoken is None
    assert found.problem.startswith(f"{file} {problem}")
    assert "2secret" not in found.problem


def test_a_real_token_that_begins_like_a_word_is_not_a_placeholder(file: Path) -> None:
    for token in (TOKEN, "2yourToken", "1abc$"):
        file.write_text(f"authtoken: {token}\n")
        assert (read(file).authtoken, read(file).problem) == (token, "")


@pytest.mark.parametrize("text", ["authtoken:2secret\n", "version: 2\nauthtoken:2secret\na: 1\n"])
def test_a_missing_space_is_named_in_the_hint(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read(file)
    assert (caught.value.hint or "").startswith("A space is missing after authtoken:")
    assert "2secret" not in f"{caught.value} {caught.value.hint}"


def test_a_proxy_in_the_file_is_noted(file: Path) -> None:
    file.write_text("agent:\n  proxy_url: http://proxy:3128\n")
    assert read(file).proxy


@pytest.mark.skipif(os.name != "posix", reason="snap is a Linux matter")
def test_the_file_of_ngroks_snap_is_found(home: Path) -> None:
    def put(revision: str) -> None:
        file = home / "snap/ngrok" / revision / ".config/ngrok/ngrok.yml"
        file.parent.mkdir(parents=True)
        file.write_text(f"authtoken: of_{revision}\n")

    (home / "snap/ngrok/common").mkdir(parents=True)
    for revision in ("9", "242", "x3"):
        put(revision)
    assert read().authtoken == "of_242"
    put("current")
    assert read().authtoken == "of_current"


@pytest.mark.parametrize("name", ["NGROK_AUTH_TOKEN", "NGROK_API_KEY"])
def test_a_variable_that_is_almost_the_right_one_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ngrok_config.misnamed_variable() == ""
    monkeypatch.setenv(name, "2secret")
    assert ngrok_config.misnamed_variable() == f"{name} is set; the variable is NGROK_AUTHTOKEN"
    monkeypatch.setenv("NGROK_AUTHTOKEN", TOKEN)
    assert ngrok_config.misnamed_variable() == ""


def test_a_token_of_digits_alone_is_text(file: Path) -> None:
    file.write_text("authtoken: 12345\n")
    assert read(file).authtoken == "12345"


def test_without_a_file_there_is_nothing(home: Path) -> None:
    assert read() == NgrokConfig()


@pytest.mark.parametrize("place", [".config/ngrok/ngrok.yml", ".ngrok2/ngrok.yml"])
@pytest.mark.skipif(os.name != "posix", reason="other systems keep it elsewhere")
def test_the_usual_places_are_looked_at(
    home: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    file = home / place
    file.parent.mkdir(parents=True)
    file.write_text(LAYOUT_2)
    assert read().path == file


def test_the_file_of_todays_agent_wins_over_that_of_an_old_one(home: Path) -> None:
    for file, token in (
        (ngrok_config.default_path(), "new_token"),
        (home / ".ngrok2/ngrok.yml", "old_token"),
    ):
        file.parent.mkdir(parents=True)
        file.write_text(f"authtoken: {token}\n")
    assert read().authtoken == "new_token"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"authtoken: 2secret_token\n\tbroken: [\n", "not valid YAML in line 2"),
        (b"authtoken: !!binary 2secret_token: {\n", "not valid YAML"),
        (b"authtoken: 2secret_token\nwhen: 2026-13-45\n", "not valid YAML"),
        (b"- 2secret_token\n", "holds no settings"),
        (b"2secret_token\n", "holds no settings"),
        (b"authtoken: \xff2secret_token\n", "not UTF-8"),
        (b"authtoken: 2secret_token\na: !!bool x\n", "not valid YAML"),
        (b"authtoken: 2secret_token\na: !!int ''\n", "not valid YAML"),
        (b"authtoken: 2secret_token\na: !!timestamp x\n", "not valid YAML"),
        (b"authtoken: 2secret_token\na: " + b"9" * 5000, "not valid YAML"),
        (b"[" * 5000, "not valid YAML"),
    ],
    ids=[
        "tab",
        "tag",
        "date",
        "list",
        "text",
        "bytes",
        "truth value",
        "number",
        "time",
        "long",
        "deep",
    ],
)
def test_a_broken_file_is_a_usage_error_that_quotes_nothing(
    file: Path, content: bytes, words: str
) -> None:
    file.write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        read(file)
    assert str(file) in str(caught.value)
    assert "2secret_token" not in f"{caught.value} {caught.value.hint}"


def test_a_named_file_that_is_missing_is_a_usage_error(file: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read(file)


def test_a_folder_in_place_of_the_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path)


def test_the_token_is_not_in_the_configs_repr(file: Path) -> None:
    file.write_text(LAYOUT_3)
    assert TOKEN not in repr(read(file))


# Whatever somebody's editor left in it.

SECRET = "2secret_token"
LINES = (
    'version: "2"', "version: 3", "agent:", "agent: {}", f"  authtoken: {SECRET}", "  # a note",
    f"authtoken: {SECRET}", f"authtoken: '{SECRET}", f"\tauthtoken: {SECRET}", "authtoken:",
    "  web_addr: 127.0.0.1:4040", "endpoints:", "  - name: a", "- b", "---", "...", "? x", "&a b",
    "*a", "<<: *a", "agent: &a", "other: *a", "!!binary =", "!!python/object:os.system x", "|",
    "authtoken: >-", "when: 2026-13-45", "{", "}", "%YAML 1.1", "root_cas: [", "a: 1:30",
    "a: !!bool x", "a: !!int ''", "when: !!timestamp x", f"authtoken: 0x{'9' * 5000}", "9" * 5000,
)  # fmt: skip
FILES = st.one_of(
    st.lists(st.sampled_from(LINES) | st.text(max_size=8), max_size=8).map(
        lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass")
    ),
    st.tuples(st.sampled_from([LAYOUT_2, LAYOUT_3]), fuzzing.changes).map(
        lambda pair: fuzzing.changed(pair[0].encode(), pair[1])
    ),
    st.binary(max_size=60),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file for all cases."""
    return tmp_path_factory.mktemp("ngrok") / "ngrok.yml"


@fuzzing.one_in(2)
@given(content=FILES)
def test_any_file_is_read_or_a_usage_error_that_quotes_nothing(place: Path, content: bytes) -> None:
    place.write_bytes(content)
    try:
        found = read(place)
    except UsageError as error:
        fuzzing.check_error(error, without=SECRET)
    else:
        assert all(
            value is None or (value and value == value.strip())
            for value in (found.authtoken, found.connect_url, found.connect_cas)
        )
