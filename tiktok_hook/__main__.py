"""``python -m tiktok_hook`` is the command itself."""

from tiktok_hook.cli import main

main()
