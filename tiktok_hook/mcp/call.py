"""One call of a tool, as its handler sees it."""

from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.types import CallToolRequestParams

from tiktok_hook.mcp.permission import Action, Permissions


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a handler needs of the protocol."""

    context: ServerRequestContext[Any]
    params: CallToolRequestParams
    permissions: Permissions

    async def require(self, action: Action, question: str) -> None:
        """Return if the user allows it; see `Permissions.require`."""
        await self.permissions.require(action, question, self.context, self.params)

    async def progress(self, done: float, total: float | None, message: str) -> None:
        """Report progress, if the client asked for it."""
        await self.context.session.report_progress(done, total, message)
