"""Answers what is not a JSON-RPC message; the SDK drops it, and its sender would wait in vain."""

from types import TracebackType
from typing import Any, Protocol, Self

from mcp.shared.message import SessionMessage
from mcp.types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, JSONRPCNotification
from pydantic import ValidationError


class IncomingMessages(Protocol):
    """The stream of incoming messages of the SDK's transports."""

    async def receive(self) -> SessionMessage | Exception:
        """The next message, or why a line is not one."""

    async def aclose(self) -> None:
        """Close it."""


class OutgoingMessages(Protocol):
    """The stream of outgoing messages of the SDK's transports."""

    async def send(self, item: SessionMessage, /) -> None:
        """Send one."""


class AnsweredStream:
    """The incoming messages alone; whatever is not a message is answered with an error.

    Args:
        reading: Of the transport.
        writing: Of the transport.
    """

    def __init__(self, reading: IncomingMessages, writing: OutgoingMessages) -> None:
        self._reading = reading
        self._writing = writing

    async def receive(self) -> SessionMessage | Exception:
        """The next message.

        Raises:
            EndOfStream: The client has disconnected (anyio's).
        """
        while True:
            found = await self._reading.receive()
            if isinstance(found, Exception):
                error = _answer(found)
            elif _lacks_an_id(found):
                error = _invalid(None)
            else:
                return found
            if error is not None:
                await self._writing.send(SessionMessage(error))

    async def aclose(self) -> None:
        """Close the transport's stream."""
        await self._reading.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        from anyio import EndOfStream

        try:
            return await self.receive()
        except EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


def _answer(why: Exception) -> JSONRPCError | None:
    """The error for a line that is not a message; None for a blank line."""
    found: list[Any] = []
    if isinstance(why, ValidationError):
        found = why.errors(include_url=False, include_context=False)
    if found and found[0]["type"] != "json_invalid":
        return _invalid(_id_of(found))
    if found and not str(found[0]["input"]).strip():
        return None
    data = ErrorData(
        code=PARSE_ERROR, message="Parse error: a line is not JSON, or is nested too deeply."
    )
    return JSONRPCError(jsonrpc="2.0", id=None, error=data)


def _lacks_an_id(found: SessionMessage) -> bool:
    """Whether it is a request whose id is none, such as 1.5: it is read as a notification."""
    message = found.message
    return isinstance(message, JSONRPCNotification) and not message.method.startswith(
        "notifications/"
    )


def _invalid(number: int | str | None) -> JSONRPCError:
    message = "Invalid Request: not a message of JSON-RPC 2.0, or its id or params are invalid."
    data = ErrorData(code=INVALID_REQUEST, message=message)
    return JSONRPCError(jsonrpc="2.0", id=number, error=data)


def _id_of(errors: list[Any]) -> int | str | None:
    """The id of an invalid request, if it has one that can be used.

    A message is validated as each type that it could be. The fields that it lacks as one of them
    are reported with the message as their input.
    """
    for each in errors:
        whole = each["input"]
        if each["type"] == "missing" and len(each["loc"]) == 2 and isinstance(whole, dict):
            number = whole.get("id")
            return (
                number if isinstance(number, int | str) and not isinstance(number, bool) else None
            )
    return None
