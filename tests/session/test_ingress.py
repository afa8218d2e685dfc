from pathlib import Path

import pytest

from tiktok_hook import credentials, ngrok_config
from tiktok_hook.errors import UsageError
from tiktok_hook.session import find_ingress


@pytest.fixture
def ngrok_file(home: Path) -> Path:
    """ngrok's own config file, with an authtoken."""
    file = ngrok_config.default_path()
    file.parent.mkdir(parents=True)
    file.write_text('version: "3"\nagent:\n  authtoken: from-the-file\n')
    return file


@pytest.mark.parametrize(
    ("given", "in_environment", "found"),
    [
        ("given", "from-the-environment", "given"),
        (None, "from-the-environment", "from-the-environment"),
        ("", "from-the-environment", "from-the-environment"),
        (None, None, "from-the-file"),
        (None, "", "from-the-file"),
    ],
    ids=["given", "environment", "empty-is-not-given", "file", "empty-variable"],
)
def test_an_authtoken_is_the_one_given_then_the_environments_then_ngroks(
    monkeypatch: pytest.MonkeyPatch,
    ngrok_file: Path,
    given: str | None,
    in_environment: str | None,
    found: str,
) -> None:
    if in_environment is not None:
        monkeypatch.setenv("NGROK_AUTHTOKEN", in_environment)
    assert find_ingress(authtoken=given).authtoken == found


def test_one_that_was_kept_comes_before_ngroks_and_after_the_environments(
    monkeypatch: pytest.MonkeyPatch, ngrok_file: Path
) -> None:
    kept = credentials.keep_authtoken("kept")
    found = find_ingress(authtoken=None)
    assert (found.authtoken, found.authtoken_from) == ("kept", str(kept))
    monkeypatch.setenv("NGROK_AUTHTOKEN", "from-the-environment")
    assert find_ingress(authtoken=None).authtoken_from == "NGROK_AUTHTOKEN"
    monkeypatch.delenv("NGROK_AUTHTOKEN")
    kept.unlink()
    assert find_ingress(authtoken=None).authtoken_from == str(ngrok_file)


def test_without_any_there_is_none() -> None:
    assert find_ingress(authtoken=None).authtoken is None


def test_the_connect_url_is_the_one_given_otherwise_that_of_ngroks_file(ngrok_file: Path) -> None:
    ngrok_file.write_text(
        'version: "3"\nagent:\n  connect_url: example.com:443\n  connect_cas: host\n'
    )
    found = find_ingress(authtoken="a", connect_url="other.example.com:443")
    assert (found.connect_url, found.connect_cas) == ("other.example.com:443", "host")
    assert find_ingress(authtoken="a", connect_url="").connect_url == "", "to be refused by name"


def test_a_broken_file_of_ngroks_matters_only_when_it_is_needed(ngrok_file: Path) -> None:
    ngrok_file.write_text("{")
    assert find_ingress(authtoken="given").authtoken == "given"
    with pytest.raises(UsageError):
        find_ingress(authtoken=None)


def test_an_authtoken_is_not_in_what_is_printed_of_it() -> None:
    assert "a-secret-token" not in repr(find_ingress(authtoken="a-secret-token"))
