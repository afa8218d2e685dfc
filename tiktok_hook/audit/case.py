"""One case of the audit: what is sent, and what an app has to do with it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tiktok_hook import signature, trigger
from tiktok_hook.delivery import SOURCE_HEADER, Headers, Source
from tiktok_hook.exact_json import Json, dumps
from tiktok_hook.forward import ForwardRequest

CLIENT_KEY = "awexampleclient1"
"""A client key with the shape of a production app's, which no app has."""

PLAIN_EVENT = "post.publish.complete"
"""What is sent where the event does not matter. Its sample is ASCII without slashes, so that most
ways of writing JSON again differ from it in one thing only."""


class Expected(StrEnum):
    """What an app has to do with a case."""

    ACCEPTED = "accepted"
    """Answer 200, exactly."""
    REJECTED = "rejected"
    """Answer with any status but a success."""
    IGNORED = "ignored"
    """Not a delivery: nothing is demanded, only looked at."""


@dataclass(frozen=True, slots=True)
class RequestFactory:
    """What the requests of a case are made of.

    Args:
        url: The app's webhook.
        secret: Its client secret.
        now: Unix seconds.
        client_key: What the bodies carry.
        tolerance: The greatest age of a signature that the app should accept, in seconds.
    """

    url: str
    secret: str
    now: float
    client_key: str = CLIENT_KEY
    tolerance: float = 300.0

    def sample(self, event: str = PLAIN_EVENT) -> bytes:
        """The body of a sample event, created now."""
        key = json.dumps(self.client_key)
        return trigger.body_of(event, sets=[f"client_key={key}"], now=self.now)

    def business_sample(self, event: str) -> bytes:
        """The body of a sample event of TikTok Business, whose client key is a number."""
        own = self.client_key != CLIENT_KEY
        sets = [f"client_key={json.dumps(self.client_key)}"] if own else []
        return trigger.body_of(event, sets=sets, now=self.now)

    def envelope(self, event: str, content: str, **more: Json) -> dict[str, Json]:
        """The five keys of any event, and more."""
        return {
            "client_key": self.client_key,
            "event": event,
            "create_time": int(self.now),
            "user_openid": "-000ExampleOpenIdExampleOpenIdExampl",
            "content": content,
            **more,
        }

    def body(self, event: str, content: str, **more: Json) -> bytes:
        """The body of any event, as TikTok writes it."""
        return dumps(self.envelope(event, content, **more)).encode()

    def sign(self, body: bytes, *, age: float = 0.0, secret: str | None = None) -> str:
        """The right header value for a body, signed `age` seconds ago."""
        key = self.secret if secret is None else secret
        return signature.sign(body, key, timestamp=int(self.now - age))

    def signed(self, body: bytes, *, age: float = 0.0, secret: str | None = None) -> ForwardRequest:
        """A delivery with the right header for its body, signed `age` seconds ago."""
        return self.post(body, self.sign(body, age=age, secret=secret))

    def post(
        self,
        body: bytes,
        header: str | None,
        *,
        names: Sequence[str] = (signature.HEADER,),
        content_type: str = trigger.CONTENT_TYPE,
    ) -> ForwardRequest:
        """A delivery with any header.

        Args:
            body: Exactly the bytes to send.
            header: The signature header's value; None leaves it out.
            names: The signature header's name, or several that all carry it.
            content_type: As it is sent.
        """
        headers: Headers = (("Content-Type", content_type), *self._marks)
        if header is not None:
            headers += tuple((name, header) for name in names)
        return ForwardRequest("POST", self.url, headers, body)

    def get(self, query: str = "") -> ForwardRequest:
        """A GET of the webhook's address."""
        joint = "&" if "?" in self.url else "?"
        return ForwardRequest("GET", self.url + (joint + query if query else ""), self._marks)

    @property
    def _marks(self) -> Headers:
        return (("User-Agent", "tiktok-hook audit"), (SOURCE_HEADER, Source.TRIGGER.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case.

    Args:
        id: A stable name, for ``--only`` and reports.
        title: What is sent, in a few words.
        expected: What the app has to do.
        build: Makes the requests; they are sent one after the other, and every answer counts.
        means: What a failure means in production, in a sentence or two.
        likely: The likely mistake; empty where the answer itself shows it.
        blames_signature: Whether `likely` is about the signature, which only an answer that
            rejects the signature is evidence of.
        has_odd_header: Whether its signature header has another form than TikTok's, so that an
            error can come of taking it apart.
    """

    id: str
    title: str
    expected: Expected
    build: Callable[[RequestFactory], Sequence[ForwardRequest]]
    means: str
    likely: str = ""
    blames_signature: bool = False
    has_odd_header: bool = False
