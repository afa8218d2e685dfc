"""From the receiver to the store, to the app, and back with what TikTok is answered."""

from tiktok_hook.relay.backlog import MODES, NOT_SENT
from tiktok_hook.relay.relay import Ack, Relay, open_relay

__all__ = ["MODES", "NOT_SENT", "Ack", "Relay", "open_relay"]
