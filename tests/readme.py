"""The README's own text, for the tests that run what it shows."""

import re
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
BLOCKS: list[str] = re.findall(r"(?ms)^```python\n(.*?)^```$", README)
"""Every Python example."""


def block(*words: str) -> str:
    """The one Python example that holds all these words."""
    (found,) = [each for each in BLOCKS if all(word in each for word in words)]
    return found
