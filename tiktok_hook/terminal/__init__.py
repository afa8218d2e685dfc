"""What people see of a session and of its deliveries: one theme, four formats, single keys.

`tiktok_hook.terminal.console` shows a session, `tiktok_hook.terminal.blocks` a stored delivery,
`tiktok_hook.terminal.table` a list of them, `tiktok_hook.terminal.report` the result of checks.
Rich is loaded when it first draws something, in a session by the printing thread: by then the
sockets accept.
"""
