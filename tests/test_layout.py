"""The tests of a module are in the file of its name, of its folder, or in the one listed here."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.timeless

ROOT = Path(__file__).parent.parent
PACKAGE, TESTS = ROOT / "tiktok_hook", ROOT / "tests"

STORIES = {
    "archive/test_har.py": ("archive/entry", "archive/fields", "archive/har_reader"),
    "archive/test_importing.py": ("archive/foreign", "archive/request_logs", "archive/shapes"),
    "archive/test_redaction_corpus.py": ("archive/redact_text",),
    "archive/test_source_file.py": ("archive/file_formats",),
    "cli/test_authtoken_prompt.py": ("cli/run_listen",),
    "cli/test_completion.py": ("cli/completers",),
    "cli/test_errors.py": ("cli/error_format",),
    "cli/test_export_and_import.py": ("cli/import_",),
    "cli/test_help.py": ("cli/options",),
    "cli/test_listen_input.py": ("cli/derived", "cli/screen_options"),
    "cli/test_replay.py": ("cli/editing",),
    "cli/test_sign_and_verify.py": ("cli/signature_options", "cli/verify"),
    "cli/test_trigger.py": ("cli/trigger_options",),
    "cli/test_wait.py": ("cli/run_wait",),
    "forward/test_client.py": ("forward/connection",),
    "inspector/test_agent_clients.py": ("inspector/agent_api",),
    "inspector/test_api.py": (
        "inspector/context",
        "inspector/options",
        "inspector/requests",
        "inspector/responses",
        "inspector/server",
        "inspector/status",
    ),
    "inspector/test_schema.py": ("inspector/openapi",),
    "mcp/test_listener.py": ("mcp/listener_process",),
    "mcp/test_server.py": (
        "mcp/call",
        "mcp/inputs",
        "mcp/options",
        "mcp/output",
        "mcp/prompts",
        "mcp/reading",
        "mcp/resources",
        "mcp/schemas",
        "mcp/shapes",
        "mcp/tools",
    ),
    "mcp/test_skill_files.py": ("cli/agent", "mcp/pages"),
    "mcp/test_wire.py": ("cli/mcp",),
    "receiver/test_guard.py": (
        "receiver/guarded_transport",
        "receiver/messages",
        "receiver/server",
    ),
    "receiver/test_policy.py": ("receiver/options",),
    "session/test_ending.py": (
        "session/child_app",
        "session/keyboard",
        "session/signals",
        "session/terminal",
    ),
    "session/test_listen.py": (
        "session/inspector_server",
        "session/lifecycle",
        "session/self_check",
        "session/wiring",
    ),
    "session/test_options.py": ("option_fields", "store/options"),
    "session/test_python.py": ("session/state",),
    "signature/test_rare_parts.py": (
        "signature/rare_keys",
        "signature/rare_objects",
        "signature/rare_texts",
    ),
    "signature/test_recipes.py": ("signature/parts",),
    "relay/test_attachment.py": ("session/attached",),
    "store/contract/test_change_feed.py": ("store/change_feed",),
    "store/contract/test_reader.py": (
        "store/postgres/conditions",
        "store/postgres/reader",
        "store/sqlite/conditions",
        "store/sqlite/connections",
        "store/sqlite/reader",
        "store/sqlite/timeline",
    ),
    "store/contract/test_store.py": (
        "store/api",
        "store/bounds",
        "store/jobs",
        "store/kept",
        "store/postgres/backend",
        "store/postgres/batch",
        "store/postgres/rows",
        "store/records",
        "store/sqlite/backend",
        "store/sqlite/batch",
        "store/sqlite/rows",
    ),
    "cli/test_attach.py": ("store/app_name",),
    "store/postgres/test_commands.py": ("store/postgres/health",),
    "store/postgres/test_faults.py": ("store/postgres/connections", "store/postgres/schema"),
    "relay/test_shared_queue.py": ("store/postgres/queue_lock",),
    "store/contract/test_attachment.py": ("store/sqlite/attachments",),
    "store/sqlite/test_neighbours.py": ("store/sqlite/crash_recovery",),
    "store/postgres/test_team.py": ("cli/team", "store/team_records", "team/report"),
    "inspector/test_browser_page.py": ("session/browser",),
    "terminal/test_drawing.py": ("terminal/cells",),
    "terminal/test_console.py": ("terminal/sink",),
    "test_doc_commands.py": ("cli/demo", "session/demo"),
    "terminal/test_text.py": ("terminal/view",),
    "tunnel/test_supervisor.py": ("tunnel/options", "tunnel/process", "tunnel/timing"),
}
"""Modules without a test file of their own, by the file whose story covers them."""

MODULES = sorted(
    str(path.relative_to(PACKAGE).with_suffix(""))
    for path in PACKAGE.rglob("*.py")
    if path.name not in {"__init__.py", "__main__.py"}
)
LISTED = {module: test for test, modules in STORIES.items() for module in modules}


def has_own_file(module: str) -> bool:
    """Whether a test file has the module's or its folder's name."""
    folder, name = (TESTS / module).parent, Path(module).name
    own = [folder / f"test_{name}.py", *folder.glob(f"test_{name}_*.py")]
    return any(path.exists() for path in (*own, folder / f"test_{folder.name}.py"))


@pytest.mark.parametrize("module", MODULES)
def test_the_tests_of_each_module_can_be_found(module: str) -> None:
    if has_own_file(module):
        assert module not in LISTED, f"it has a test file of its own: remove it from {__name__}"
    else:
        assert module in LISTED, f"name its test file after it, or list it in {__name__}"


def test_what_is_listed_exists() -> None:
    assert {*LISTED} <= {*MODULES}
    assert [test for test in STORIES if not (TESTS / test).exists()] == []
    assert len(LISTED) == sum(len(modules) for modules in STORIES.values()), "listed twice"
