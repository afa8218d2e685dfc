"""The pages of the docs, for agents: those in the wheel, or those of a checkout."""

from collections.abc import Mapping
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]

SITE = "https://github.com/tiktok-hook/tiktok-hook/blob/main/docs/"


def docs() -> Mapping[str, Path]:
    """The pages by name, such as ``signature``."""
    places = (_PACKAGE / "docs", _PACKAGE.parent / "docs")
    folder = next((each for each in places if each.is_dir()), None)
    return {} if folder is None else {each.stem: each for each in sorted(folder.glob("*.md"))}
