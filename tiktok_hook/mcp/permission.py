"""What an agent may do without its user's word, and how the user is asked.

`start_listener`, `stop_listener` and everything that sends a request needs permission: by an option
of the server, or by the user's answer to a question that the client shows (elicitation). A client
that cannot ask is denied. Protocol versions up to 2025-11-25 ask with a request of the server's
own; later ones return the question as a result, and the client repeats the call with the answer.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from typing import Any, Literal

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import (
    CallToolRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from pydantic import ValidationError

from tiktok_hook.errors import HookError, UsageError
from tiktok_hook.forward import is_loopback, parse_target
from tiktok_hook.mcp.options import McpOptions
from tiktok_hook.sanitize import visible

Action = Literal["listen", "send"]

_ASKING_BY_RESULT = "2026-07-28"
"""From this version of the protocol on, a question is returned as a result."""

_KEY = "permission"
_MAX_QUESTIONS = 100
_MAX_QUESTION_CHARS = 1000
_FORM: dict[str, Any] = {"type": "object", "properties": {}}


class DeniedError(HookError):
    """The user did not allow what the agent asked for."""


class QuestionNeeded(Exception):
    """The call has to be repeated with the user's answer; `result` carries the question."""

    def __init__(self, result: InputRequiredResult) -> None:
        super().__init__()
        self.result = result


class Permissions:
    """Decides on every call that opens a listener or sends something.

    An answer counts only for the call that it was asked for: same tool, same input, same question,
    once. Invariant: `_asked` holds the questions that were not answered yet, the oldest first, and
    at most `_MAX_QUESTIONS` of them.
    """

    def __init__(self, options: McpOptions) -> None:
        self._options = options
        self._key = os.urandom(32)
        self._asked: dict[str, None] = {}

    def state(
        self, action: Action, context: ServerRequestContext[Any]
    ) -> Literal["allowed", "asks", "denied"]:
        """What would happen now: ``denied`` where the client cannot ask its user."""
        allowed = self._options.allow_listen if action == "listen" else self._options.allow_send
        if allowed:
            return "allowed"
        return "asks" if _can_ask(context) else "denied"

    async def require(
        self,
        action: Action,
        question: str,
        context: ServerRequestContext[Any],
        params: CallToolRequestParams,
    ) -> None:
        """Return if the action is allowed; ask the user if it is not allowed by an option.

        Args:
            action: The kind of action.
            question: What will happen if the user accepts, with its target.
            context: Of the call.
            params: Of the call, with the user's answer if it is repeated.

        Raises:
            DeniedError: The user declined, or the client cannot ask.
            UsageError: The question is too long to be shown.
            QuestionNeeded: The client has to ask, and to repeat the call.
        """
        state = self.state(action, context)
        if state == "allowed":
            return
        if state == "denied":
            raise DeniedError(
                f"{params.name} needs permission, and this client cannot ask its user for it.",
                hint=f"The user can start the server with --allow-{action}.",
            )
        question = visible(question)
        if len(question) > _MAX_QUESTION_CHARS:
            raise UsageError(
                f"The question to the user would have {len(question):,} characters; at most "
                f"{_MAX_QUESTION_CHARS:,} are shown, and nothing of it may be left out.",
                hint="Give fewer or shorter targets.",
            )
        if context.protocol_version >= _ASKING_BY_RESULT:
            answer = self._answer(question, params)
        else:
            answer = await _asked_now(question, context, params.name)
        if answer.action != "accept":
            raise DeniedError(
                f"The user did not allow {params.name}.",
                hint="Do not try it again unless the user asks for it.",
            )

    def _answer(self, question: str, params: CallToolRequestParams) -> ElicitResult:
        """The answer that came with a repeated call."""
        state, responses = params.request_state, params.input_responses
        answer = None if responses is None else responses.get(_KEY)
        if state is not None and state in self._asked and isinstance(answer, ElicitResult):
            del self._asked[state]
            nonce = state.partition(".")[0]
            if hmac.compare_digest(state, self._seal(nonce, question, params)):
                return answer
        state = self._seal(os.urandom(8).hex(), question, params)
        self._asked[state] = None
        while len(self._asked) > _MAX_QUESTIONS:
            del self._asked[next(iter(self._asked))]
        request = ElicitRequest(
            params=ElicitRequestFormParams(message=question, requested_schema=_FORM)
        )
        raise QuestionNeeded(
            InputRequiredResult(input_requests={_KEY: request}, request_state=state)
        )

    def _seal(self, nonce: str, question: str, params: CallToolRequestParams) -> str:
        call: Mapping[str, Any] = {
            "nonce": nonce,
            "question": question,
            "tool": params.name,
            "arguments": params.arguments,
        }
        message = json.dumps(call, sort_keys=True).encode()
        return f"{nonce}.{hmac.new(self._key, message, hashlib.sha256).hexdigest()}"

    def checked_target(self, target: str) -> str:
        """The full URL of a target that may be sent to.

        Only loopback addresses and localhost count as this machine: any other name may be resolved
        to another address when the request is sent.

        Raises:
            DeniedError: It is not on this machine, and ``--allow-remote`` was not given.
            UsageError: It is not a target.
        """
        url = parse_target(target)
        if not is_loopback(url) and not self._options.allow_remote:
            raise DeniedError(
                f"{url} is not on this machine.",
                hint="The user can allow other targets with --allow-remote.",
            )
        return url

    def allows(self, target: str) -> bool:
        """Whether a target of the user's own settings may be sent to; also if it is not one."""
        try:
            self.checked_target(target)
        except DeniedError:
            return False
        except UsageError:
            return True  # nothing is sent to it
        return True


async def _asked_now(question: str, context: ServerRequestContext[Any], tool: str) -> ElicitResult:
    """The answer to a question that the client is asked while the call waits.

    Raises:
        DeniedError: The client answered with an error, or not as the protocol has it.
    """
    try:
        return await context.session.elicit_form(
            question, _FORM, related_request_id=context.request_id
        )
    except (MCPError, ValidationError) as error:
        raise DeniedError(
            f"The client did not ask its user whether {tool} is allowed.",
            hint="It answered the question with an error, or not as the protocol has it.",
        ) from error


def _can_ask(context: ServerRequestContext[Any]) -> bool:
    capabilities = context.session.client_capabilities
    elicitation = None if capabilities is None else capabilities.elicitation
    if elicitation is None:
        return False
    # A client of before 2025-11-25 declares no modes and has forms; one with URLs only has none.
    return elicitation.form is not None or elicitation.url is None
