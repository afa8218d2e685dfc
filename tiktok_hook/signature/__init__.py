"""TikTok's signature: made, judged, and explained when it does not match."""

from tiktok_hook.signature.diagnosis import diagnose, explain
from tiktok_hook.signature.recipes import Diagnosis
from tiktok_hook.signature.scheme import HEADER, State, Verdict, check, sign

__all__ = ["HEADER", "Diagnosis", "State", "Verdict", "check", "diagnose", "explain", "sign"]
