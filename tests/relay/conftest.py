"""A relay over a real store and a real forwarder."""

from tests.test_relay import forwarder, relaying, store, told

__all__ = ["forwarder", "relaying", "store", "told"]
