"""TikTok's signature: made, judged, and explained when it does not match.

The explaining is imported when it is first asked for: commands that only read a history never do.
"""

from typing import TYPE_CHECKING, Any

from tiktok_hook.signature.client_secret import checked_secret, checked_secrets
from tiktok_hook.signature.scheme import HEADER, State, Verdict, check, sign, with_wrong_digit

if TYPE_CHECKING:
    from tiktok_hook.signature.diagnosis import diagnose, explain
    from tiktok_hook.signature.recipes import Diagnosis

__all__ = [
    "HEADER",
    "Diagnosis",
    "State",
    "Verdict",
    "check",
    "checked_secret",
    "checked_secrets",
    "diagnose",
    "explain",
    "sign",
    "with_wrong_digit",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tiktok_hook.signature import diagnosis, recipes

    return getattr(recipes if name == "Diagnosis" else diagnosis, name)
