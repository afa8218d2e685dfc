"""From the receiver to the store and the app, and back with the response to TikTok."""

from tiktok_hook.relay.queue_runner import RETRY_FOR_SECONDS
from tiktok_hook.relay.relay import Ack, Relay, open_relay

__all__ = ["RETRY_FOR_SECONDS", "Ack", "Relay", "open_relay"]
