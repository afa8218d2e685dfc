from pathlib import Path

from tests.cli.runner import invoke


def test_an_error_quotes_nothing_that_a_terminal_would_obey(tmp_path: Path) -> None:
    result = invoke("import", str(tmp_path / "a\x1b[2J\u202eb.har"))
    assert result.exit_code == 2
    assert "a\\x1b[2J\\u202eb.har" in result.stderr
    assert "\x1b" not in result.output
