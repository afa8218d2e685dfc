"""From the receiver to the store, to the app, and back with what TikTok is answered."""

from tiktok_hook.relay.backlog import MODES
from tiktok_hook.relay.relay import Ack, Relay, open_relay

__all__ = ["MODES", "Ack", "Relay", "open_relay"]
