"""What a program printed on its terminal, as it comes."""

import re
import threading

from tests.bench.programs import NotMeasuredError

SECONDS = 10.0
"""The longest wait for a text."""

PAGE_ADDRESS = re.compile(rb"http://127\.0\.0\.1:\d+/#token=[\w-]+")
"""The address of the inspector's page, as `listen` prints it."""


class Screen:
    """What was written to the terminal, and when a text came."""

    def __init__(self) -> None:
        self.text = b""
        self._changed = threading.Condition()

    def add(self, data: bytes) -> None:
        """Called by the thread that reads the terminal."""
        with self._changed:
            self.text += data
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget what was written, so that it need not be searched again."""
        with self._changed:
            self.text = b""

    def wait_for(self, pattern: "re.Pattern[bytes]") -> bytes:
        """The first match, waited for.

        Raises:
            NotMeasuredError: It did not come.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: pattern.search(self.text), SECONDS):
                raise NotMeasuredError(f"{pattern.pattern!r} was not printed")
            found = pattern.search(self.text)
        assert found is not None
        return found[0]
