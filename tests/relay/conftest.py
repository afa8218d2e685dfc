"""A relay over a real store and a real forwarder."""

from tests.relay.test_relay import forwarder, relaying, store, told

__all__ = ["forwarder", "relaying", "store", "told"]
