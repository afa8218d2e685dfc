"""ngrok's own config file: the authtoken that is kept there. It is only read.

ngrok's SDK does not look at it, its agent does: who has used that before need not give the token
again. Both layouts are understood: https://ngrok.com/docs/agent/config/
"""

import codecs
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from tiktok_hook.errors import UsageError
from tiktok_hook.text_files import MAX_BYTES, decode, read_input

_BY_HAND = "Correct it, or run: ngrok config check"
_LONGEST_NUMBER_BITS = 1024


@dataclass(frozen=True, slots=True)
class NgrokConfig:
    """What the file holds that concerns us.

    Attributes:
        authtoken: None without one.
        connect_url: ``host:port`` of another server than ngrok's; None for ngrok's.
        connect_cas: ``trusted``, ``host`` or a path; None when it is not set.
        path: The file it was read from; None when there is none.
        problem: Why there is no authtoken although the file seems to have one: a placeholder, or a
            key that is not ngrok's; empty otherwise. It quotes neither.
        proxy: Whether it names a proxy, which is not used here.
    """

    authtoken: str | None = field(default=None, repr=False)
    connect_url: str | None = None
    connect_cas: str | None = None
    path: Path | None = None
    problem: str = ""
    proxy: bool = False


def default_path() -> Path:
    """Where today's ngrok agent keeps its file on this system."""
    return platformdirs.user_config_path("ngrok", appauthor=False) / "ngrok.yml"


def find() -> Path | None:
    """The file of the user's ngrok agent, or that of an old one; None when neither is there."""
    try:
        home = Path.home()
    except RuntimeError:  # no home folder is known
        return None
    places = (default_path(), *_of_snap(home / "snap" / "ngrok"), home / ".ngrok2" / "ngrok.yml")
    return next((place for place in places if _is_file(place)), None)


def _of_snap(folder: Path) -> list[Path]:
    """Where ngrok's snap keeps its file: the current revision's, then the newest revision's."""
    try:
        revisions = [each.name for each in folder.iterdir() if re.fullmatch(r"x?\d+", each.name)]
    except OSError:
        revisions = []
    newest_first = sorted(revisions, key=lambda name: int(name.lstrip("x")), reverse=True)
    return [folder / name / ".config/ngrok/ngrok.yml" for name in ("current", *newest_first)]


def _is_file(place: Path) -> bool:
    try:
        return place.is_file()
    except OSError:
        return False  # in a folder that is closed to us: not ours either


def read(path: Path | None = None) -> NgrokConfig:
    """Read the authtoken and where to connect to, from layout 2 or 3.

    Args:
        path: The file; None looks in the usual places and takes none for an answer.

    Raises:
        UsageError: The file cannot be read or is broken. No message quotes what is in it.
    """
    file = path or find()
    if file is None:
        return NgrokConfig()
    content = _parse(_text(file), file)
    inner = content.get("agent")
    agent = inner if isinstance(inner, dict) else {}
    token = _word(agent.get("authtoken")) or _word(content.get("authtoken"))
    problem = _placeholder(token, file) if token else _misspelled(content, file)
    # Layout 3 keeps its options under `agent` and has new names for two of them.
    return NgrokConfig(
        authtoken=None if problem else token,
        connect_url=_word(agent.get("connect_url")) or _word(content.get("server_addr")),
        connect_cas=_word(agent.get("connect_cas")) or _word(content.get("root_cas")),
        path=file,
        problem=problem,
        proxy=bool(_word(agent.get("proxy_url")) or _word(content.get("http_proxy"))),
    )


_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]{0,60})\}?|%([A-Za-z_][A-Za-z0-9_]{0,60})%")
_PLACEHOLDER = re.compile(
    r"[<{\[$%]|(?:your|my|insert|replace|paste|example|xxx|\.\.\.)", re.IGNORECASE
)


def _placeholder(token: str, file: Path) -> str:
    """What is wrong with a token that was never filled in; empty for any other."""
    variable = _VARIABLE.fullmatch(token)
    if variable:
        name = variable[1] or variable[2]
        return f"{file} names the variable {name}, which ngrok does not expand"
    if _PLACEHOLDER.match(token):
        return f"{file} has a placeholder in place of an authtoken"
    return ""


def _misspelled(content: Mapping[str, Any], file: Path) -> str:
    """Which key looks like the authtoken's, in a file without one; empty if none does."""
    agent = content.get("agent")
    if isinstance(agent, list):
        return f"{file} has no authtoken: agent is a list, not NAME: VALUE"
    for where in (agent if isinstance(agent, dict) else {}, content):
        for key in where:
            name = str(key)
            if name != "authtoken" and re.fullmatch(r"(?i)(?:ngrok)?[_-]?auth[_-]?token", name):
                return f"{file} has no authtoken: it has {name}, which is not ngrok's spelling"
    if "api_key" in content or (isinstance(agent, dict) and "api_key" in agent):
        return f"{file} has no authtoken: it has an API key, which opens no tunnel"
    return ""


def misnamed_variable() -> str:
    """A variable that looks like NGROK_AUTHTOKEN, if that one is not set, in words; or empty."""
    for name in ("NGROK_AUTH_TOKEN", "NGROK_TOKEN", "NGROK_API_KEY"):
        if os.environ.get(name) and not os.environ.get("NGROK_AUTHTOKEN"):
            return f"{name} is set; the variable is NGROK_AUTHTOKEN"
    return ""


def _text(file: Path) -> str:
    hint = "Check its permissions, or give the token with NGROK_AUTHTOKEN."
    try:
        data = read_input(file, what="ngrok config file", hint=hint, max_bytes=MAX_BYTES)
    except FileNotFoundError:
        raise UsageError(
            f"ngrok's config file {file} does not exist.", hint="Check the path, or leave it out."
        ) from None
    # ngrok's own agent accepts a byte order mark.
    return decode(data.removeprefix(codecs.BOM_UTF8), name=f"ngrok config file {file}")


def _parse(text: str, file: Path) -> Mapping[str, Any]:
    """The file's mapping; an empty file is an empty one."""
    try:
        content = _loaded(text)
    except ValueError as error:
        # The parser's own message quotes the line, which may be the token's.
        mark = getattr(error.__cause__, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise UsageError(
            f"ngrok's config file {file} is not valid YAML{where}.", hint=_hint(text)
        ) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(
            f"ngrok's config file {file} holds no settings (NAME: VALUE).", hint=_hint(text)
        )
    return content


def _hint(text: str) -> str:
    if re.search(r"(?m)^[ \t]*authtoken:[^\s]", text):
        return f"A space is missing after authtoken: there. {_BY_HAND}"
    return _BY_HAND


def _loaded(text: str) -> Any:
    """What YAML holds; ValueError for what is none."""
    import yaml  # only where there is such a file: importing it takes 20 ms

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("not YAML") from error
    except (AttributeError, LookupError, TypeError) as error:
        # PyYAML's own, for `!!bool x`, `!!int ""`, `!!timestamp x` and the like.
        raise ValueError("not what its tag requires") from error


def _word(value: object) -> str | None:
    """A scalar as text; a token or port of digits alone is a number to YAML."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER_BITS:
        return None  # Python would not write it out
    return str(value).strip() or None
