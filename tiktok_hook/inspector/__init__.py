"""The inspector: a local page, its API, and a look-alike of the ngrok agent's API.

It listens on sockets of its own. The tunnel publishes the receiver's port, so nothing of this can
be reached from outside.
"""

from tiktok_hook.inspector.context import InspectorContext
from tiktok_hook.inspector.server import Inspector, serving, url
from tiktok_hook.inspector.status import Status, StatusProvider

__all__ = ["Inspector", "InspectorContext", "Status", "StatusProvider", "serving", "url"]
