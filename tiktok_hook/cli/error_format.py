"""Whether errors are printed as lines for people or as one JSON object for programs."""

import os
from collections.abc import Sequence


class ErrorFormat:
    """How an error of this run is printed; click's context carries it as ``obj``.

    Not a dataclass: the module `dataclasses` takes 2 ms to import, and this is in every command.

    Attributes:
        as_json: Print one JSON object. It is chosen before parsing from the words on the command
            line, since parsing itself may fail, and again when ``--format`` is resolved from the
            environment or the settings file.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json


def asks_for_json(words: Sequence[str]) -> bool:
    """Whether a command line asks for JSON output: ``--json``, ``--format json``, or by variable.

    What follows ``--`` is another program's command line.
    """
    own = list(words[: words.index("--")]) if "--" in words else list(words)
    if "--json" in own or "--format=json" in own:
        return True
    if "--format" in own:
        return own[own.index("--format") + 1 :][:1] == ["json"]
    return os.environ.get("TIKTOK_HOOK_FORMAT") == "json"
