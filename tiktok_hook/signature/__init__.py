"""TikTok's signature: made, judged, and explained when it does not match."""

from tiktok_hook.signature.scheme import HEADER, State, Verdict, check, sign

__all__ = ["HEADER", "State", "Verdict", "check", "sign"]
