"""Keyboard shortcuts of a session on a terminal."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tiktok_hook.delivery import Notice
from tiktok_hook.errors import HookError
from tiktok_hook.session.state import Session
from tiktok_hook.terminal import clipboard, keys
from tiktok_hook.terminal.console import Console


@asynccontextmanager
async def keyboard(
    session: Session, console: Console, stop: Callable[[], None]
) -> AsyncIterator[None]:
    """Handle keyboard shortcuts until the block ends. Does nothing without a terminal.

    ``v`` switches the view, ``d`` shows the last delivery's details, ``r`` replays the last
    delivery and ``f`` the last failed one, ``p`` pauses or resumes forwarding, ``o`` opens the
    inspector, ``c`` copies the Callback URL, ``?`` lists the keys, ``q`` quits. Return prints an
    empty line to separate the output, Ctrl-L draws the status line again, and any other character
    is answered with one line that names the keys.
    """
    if not console.keys:
        yield
        return
    async with asyncio.TaskGroup() as group:

        def pressed(key: str) -> None:
            if key == "q":
                stop()
            elif key == "?":
                console.help()
            elif key == "\n":
                console.write("")
            elif key == "c":
                group.create_task(_copy(session, console))
            elif key == "v":
                console.next_view()
            elif key == "o":
                session.open_inspector()
            elif key in "drfp":
                group.create_task(_act(session, console, key))
            elif key == "\f":  # Ctrl-L
                console.resized()
            elif key.isprintable():
                console.unknown_key(key)

        async with keys.read(pressed, console):
            yield


async def _copy(session: Session, console: Console) -> None:
    """Copy the Callback URL and print it, because a terminal may ignore the OSC 52 sequence."""
    url = session.callback_url
    if not url:
        session.bus.publish(Notice("This session has no Callback URL.", level="info"))
        return
    tool = await asyncio.to_thread(clipboard.copy, url)
    if tool is None:
        console.send_to_terminal(clipboard.osc52(url))
        text = (
            "Callback URL sent to the terminal's clipboard (OSC 52). If that failed, copy it here: "
        )
    else:
        text = f"Callback URL copied with {tool}: "
    session.bus.publish(Notice(text + url, level="info"))


async def _act(session: Session, console: Console, key: str) -> None:
    """Run the action of a key. Errors become notices and do not end the session."""
    try:
        if key == "r":
            await session.replay_last()
        elif key == "f":
            await session.replay_last_failed()
        elif key == "d":
            console.details(*await session.last_with_attempts())
        else:
            await session.toggle_pause()
    except HookError as error:
        session.bus.publish(Notice(str(error), hint=error.hint, level="error"))
