"""Every failure that a user can cause or fix, and the exit code each ends with.

    HookError              1   something went wrong that is not a bug
    ├── UsageError         2   an option, argument or setting that cannot be used
    ├── TunnelError        3   the tunnel could not be opened, or the authtoken is missing
    │   └── AuthtokenError     ngrok did not accept the authtoken
    ├── ListenError        4   no port to listen on
    ├── StoreError         5   the history cannot be opened, read or written
    │   └── NoHistoryError     there is none yet
    └── AppError           6   an app did not answer 200

A bad signature, an unknown event or a failed forward is none of these: it is data, stored and
shown.
Bugs are not of this family and keep their traceback.
"""

EXIT_CODES = {
    0: "ended as asked: done, Ctrl-C, SIGTERM, SIGHUP",
    1: "a check failed, `--exit-after` was not reached, nothing arrived for `wait`, or a bug",
    2: "an option, argument or setting that cannot be used",
    3: "the tunnel could not be opened, or the authtoken is missing",
    4: "no port to listen on",
    5: "the history cannot be opened, read or written, or another process took an attached app "
    "over",
    6: "an app did not answer 200",
    130: "a second Ctrl-C",
}
"""The exit codes of the command line and what they mean; docs/scripts.md has the same table."""


class HookError(Exception):
    """Base of every failure a user can cause or fix.

    Args:
        message: One sentence: what happened, with the value in it. Never a secret.
        hint: One thing to do about it; empty when there is nothing to add.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(f"Hint: {hint}")  # Python and pytest show it under the message


class UsageError(HookError):
    """An option, argument or setting cannot be used as given."""

    exit_code = 2


class TunnelError(HookError):
    """The tunnel could not be opened, or ended in a way that cannot heal."""

    exit_code = 3


class AuthtokenError(TunnelError):
    """ngrok did not accept the authtoken."""


class ListenError(HookError):
    """The receiver or the inspector found no port to listen on."""

    exit_code = 4


class StoreError(HookError):
    """The history cannot be opened, read or written."""

    exit_code = 5


class NoHistoryError(StoreError):
    """There is no history yet, and reading creates none."""


class AppError(HookError):
    """An app did not answer 200 to what it was sent."""

    exit_code = 6
