"""A relay over a real store and a real forwarder."""

from tests.relay.test_relay import forwarder, published, relaying, store

__all__ = ["forwarder", "published", "relaying", "store"]
