"""Answers what is not a JSON-RPC message; the SDK drops it, and its sender would wait in vain."""

import json
import re
from collections import deque
from types import TracebackType
from typing import Any, Protocol, Self

from mcp.shared.message import SessionMessage
from mcp.types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

MAX_BATCH = 100
"""How many messages one line may have, as clients of 2025-03-26 may send them."""

_Id = int | str | None


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

    A batch (an array of messages in one line) is taken apart; each of its requests is answered in a
    line of its own. A response that cannot be read becomes an error, so that our request fails.

    Args:
        reading: Of the transport.
        writing: Of the transport.
    """

    def __init__(self, reading: IncomingMessages, writing: OutgoingMessages) -> None:
        self._reading = reading
        self._writing = writing
        self._batch: deque[Any] = deque()

    async def receive(self) -> SessionMessage | Exception:
        """The next message.

        Raises:
            EndOfStream: The client has disconnected (anyio's).
        """
        while True:
            found = self._next_of_batch() if self._batch else await self._reading.receive()
            error: JSONRPCError | None
            if isinstance(found, Exception):
                problems = _problems(found)
                batch = _batch_of(problems)
                if batch is not None:
                    self._batch.extend(batch)
                    continue
                unread = _unread_response(problems)
                if unread is not None:
                    return SessionMessage(unread)
                error = _answer(problems)
            elif _lacks_an_id(found):
                error = _invalid(None)
            else:
                return found
            if error is not None:
                await self._writing.send(SessionMessage(error))

    def _next_of_batch(self) -> SessionMessage | Exception:
        try:
            message = jsonrpc_message_adapter.validate_python(self._batch.popleft(), by_name=False)
        except ValidationError as error:
            return error
        return SessionMessage(message)

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


def _problems(why: Exception) -> list[Any]:
    """What is wrong with a line, as pydantic lists it."""
    if isinstance(why, ValidationError):
        return why.errors(include_url=False, include_context=False)
    return []


def _batch_of(problems: list[Any]) -> list[Any] | None:
    """The messages of a batch; None for anything else, also for one in a batch.

    A message is validated as each type that it could be, with the array as input of each.
    """
    inputs = [each["input"] for each in problems if len(each["loc"]) == 1]
    if len(inputs) != len(problems) or not inputs or not isinstance(inputs[0], list):
        return None
    messages = inputs[0]
    is_batch = 0 < len(messages) <= MAX_BATCH and all(isinstance(each, dict) for each in messages)
    return messages if is_batch else None


def _unread_response(problems: list[Any]) -> JSONRPCError | None:
    """For a response whose form is wrong: the error in its place; None for anything else."""
    message = _message_of(problems)
    if message is None or "method" in message or not {"result", "error"} & message.keys():
        return None
    number = _usable(message.get("id"))
    return None if number is None else _invalid(number)


def _answer(problems: list[Any]) -> JSONRPCError | None:
    """The error for a line that is not a message; None for a blank line."""
    if problems and problems[0]["type"] != "json_invalid":
        message = _message_of(problems)
        return _invalid(None if message is None else _usable(message.get("id")))
    line = str(problems[0]["input"]) if problems else ""
    if problems and not line.strip():
        return None
    if problems and "recursion" in problems[0]["msg"]:
        number = _id_in(line)
        if number is not None:
            data = ErrorData(code=INVALID_REQUEST, message="Invalid Request: nested too deeply.")
            return JSONRPCError(jsonrpc="2.0", id=number, error=data)
    data = ErrorData(
        code=PARSE_ERROR, message="Parse error: a line is not JSON, or is nested too deeply."
    )
    return JSONRPCError(jsonrpc="2.0", id=None, error=data)


# A text without an end is one token: a search from each of its quotes would take the time squared.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{\]}]')
_ID = re.compile(r'\s*:\s*(-?[0-9]{1,18}(?=\s*[,}])|"(?:[^"\\]++|\\.)*+")')


def _id_in(line: str) -> _Id:
    """The id of a message that is nested too deeply to be parsed; None if it has none."""
    depth = 0
    for token in _TOKEN.finditer(line):
        text = token[0]
        if text in "[{":
            depth += 1
        elif text in "]}":
            depth -= 1
        elif depth == 1 and text == '"id"':
            found = _ID.match(line, token.end())
            if found is not None:
                return _usable(json.loads(found[1]))
    return None


def _lacks_an_id(found: SessionMessage) -> bool:
    """Whether it is a request whose id is none, such as 1.5: it is read as a notification."""
    message = found.message
    return isinstance(message, JSONRPCNotification) and not message.method.startswith(
        "notifications/"
    )


def _invalid(number: _Id) -> JSONRPCError:
    message = "Invalid Request: not a message of JSON-RPC 2.0, or its id or params are invalid."
    data = ErrorData(code=INVALID_REQUEST, message=message)
    return JSONRPCError(jsonrpc="2.0", id=number, error=data)


def _message_of(problems: list[Any]) -> dict[str, Any] | None:
    """The object that is not a valid message.

    It is validated as each type that it could be. The fields that it lacks as one of them are
    reported with the object as their input.
    """
    for each in problems:
        whole = each["input"]
        if each["type"] == "missing" and len(each["loc"]) == 2 and isinstance(whole, dict):
            return whole
    return None


def _usable(number: object) -> _Id:
    """An id that an answer can have; None for anything else."""
    return number if isinstance(number, int | str) and not isinstance(number, bool) else None
