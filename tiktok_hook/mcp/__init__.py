"""The Model Context Protocol server: the program's tools for coding agents, over stdio.

The SDK is an extra, ``tiktok-hook[mcp]``, and is imported in this folder only. What an agent may
do without its user's word is decided in `permission`; what leaves this process is masked, escaped
and bounded in `output`.
"""

from tiktok_hook.mcp.options import ListenSettings, McpOptions

__all__ = ["ListenSettings", "McpOptions", "run"]


def run(options: McpOptions) -> None:
    """Serve one client on standard input and output until it disconnects.

    Raises:
        UsageError: The SDK is not installed, or is too old.
    """
    from tiktok_hook.errors import UsageError

    try:
        import mcp.server.lowlevel.server  # noqa: F401 - a missing or old SDK is noticed here
        from mcp.types import InputRequiredResult  # noqa: F401 - absent before version 2
    except ImportError as error:
        raise UsageError(
            "The MCP server needs the Python SDK of the Model Context Protocol (mcp 2.3 or newer).",
            hint="pip install 'tiktok-hook[mcp]'; with pipx: pipx inject tiktok-hook mcp",
        ) from error
    from tiktok_hook.mcp.server import serve

    serve(options)
