"""What TikTok talks to: takes deliveries on bound sockets, judges them, answers.

`rules` decides what a request is and what it is answered; `connection` and `server` speak HTTP/1.1
with llhttp, as aiohttp brings it, but without aiohttp's own server: that one inflates bodies, waits
for ever for a half-sent header and prints tracebacks for malformed requests. Verifying included,
this way takes no more time than that server does for an empty answer.
"""

from tiktok_hook.receiver.answer import OK, Answer, Request
from tiktok_hook.receiver.rules import Handle, Limits, Receiver

__all__ = ["OK", "Answer", "Handle", "Limits", "Receiver", "Request"]
