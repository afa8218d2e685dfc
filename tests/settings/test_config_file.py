from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import fuzzing
from tiktok_hook import settings
from tiktok_hook.errors import UsageError

FILE = Path("config.toml")


def test_a_missing_default_file_gives_no_settings(tmp_path: Path) -> None:
    assert settings.read_config(None, default=tmp_path / "config.toml") == {}


def test_a_missing_named_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        settings.read_config(tmp_path / "named.toml", default=tmp_path / "config.toml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"forward_to = [", "not valid TOML"),
        (b"\xff", "not UTF-8 text"),
        (b"\xef\xbb\xbfport = 1", "begins with a byte order mark"),
        ("port = 1".encode("utf-16"), "encoded in UTF-16"),
        ("port = 1".encode("utf-16-be"), "encoded in UTF-16"),
        ("port = 1".encode("utf-32"), "encoded in UTF-32"),
        (b"port = " + b"[" * 5000, "not valid TOML"),
        (b"port = " + b"9" * 5000, "not valid TOML"),
    ],
    ids=["syntax", "not-text", "bom", "utf-16", "utf-16-without-mark", "utf-32", "deep", "long"],
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        settings.read_config(None, default=file)


def test_a_table_of_a_command_goes_before_the_top() -> None:
    values = settings.defaults_for(
        "listen",
        {"port": 1, "keep": 5, "listen": {"port": 2}},
        options={"port", "keep"},
        known={"port", "keep"},
        commands={"listen"},
        file=FILE,
    )
    assert values == {"port": 2, "keep": 5}


def test_an_option_may_be_named_like_a_command() -> None:
    defaults_for = partial(
        settings.defaults_for, known={"config", "limit"}, commands={"config"}, file=FILE
    )
    text = defaults_for("config", {"config": "x.toml"}, options={"limit"})
    table = defaults_for("config", {"config": {"limit": 5}}, options={"limit"})
    listen = defaults_for("listen", {"config": {"limit": 5}}, options={"config"})
    assert (text, table, listen) == ({}, {"limit": 5}, {})


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"events": "post.*"}, "unknown key 'events'"),
        ({"port": {"listen": 1}}, "unknown table 'port'"),
        ({"listen": {"events": {"port": 1}}}, "unknown table 'events'"),
        ({"listen": {"keep": 1}}, "unknown key 'keep'"),
    ],
    ids=["a command with a value", "an option with a table", "a table in a table", "not its own"],
)
def test_what_no_command_reads_is_an_error(config: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        settings.defaults_for(
            "listen",
            config,
            options={"port"},
            known={"port", "keep"},
            commands={"listen", "events"},
            file=FILE,
        )


def test_a_key_of_another_command_is_left_alone() -> None:
    config = {"tolerance": 3, "listen": {"port": 1}}
    found = settings.defaults_for(
        "sign",
        config,
        options={"body"},
        known={"tolerance", "port", "body"},
        commands={"listen"},
        file=FILE,
    )
    assert found == {}


@pytest.mark.parametrize("key", ["forward-to", "forward_to"])
def test_dashes_and_underscores_mean_the_same(key: str) -> None:
    values = settings.defaults_for(
        "listen",
        {key: ["3000"]},
        options={"forward-to"},
        known={"forward-to"},
        commands=(),
        file=FILE,
    )
    assert values == {"forward-to": ["3000"]}


def test_an_unknown_key_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="has an unknown key 'forward_too'") as caught:
        settings.defaults_for(
            "listen",
            {"forward_too": 1},
            options={"forward-to"},
            known={"forward-to"},
            commands=(),
            file=FILE,
        )
    assert "forward-to" in caught.value.hint


def test_an_options_variable_has_its_name() -> None:
    assert settings.variable("--forward-to") == "TIKTOK_HOOK_FORWARD_TO"


CONFIG = b'forward_to = ["3000"]\nkeep = 5\n[listen]\nport = 0x10\nnow = 1979-05-27T07:32:00Z\n'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file for all cases."""
    return tmp_path_factory.mktemp("settings") / "file"


@fuzzing.one_in(2)
@given(fuzzing.changes.map(partial(fuzzing.changed, CONFIG)) | st.binary(max_size=40))
def test_any_file_holds_settings_or_is_a_usage_error(place: Path, content: bytes) -> None:
    place.write_bytes(content)
    known = {"forward-to", "keep", "port", "now"}
    try:
        config = settings.read_config(place, default=place)
        values = settings.defaults_for(
            "listen", config, options=known, known=known, commands={"listen"}, file=place
        )
    except UsageError as error:
        fuzzing.check_error(error)
    else:
        assert values.keys() <= known
