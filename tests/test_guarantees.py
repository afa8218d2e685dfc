"""What the docs promise to who attaches an app or shares a history, sentence by sentence.

Each sentence of these sections names the tests that show it. Who changes a promise changes it
here too, and finds the tests to change or to add.
"""

import re
from pathlib import Path

import pytest

from tests.doc_pages import PAGES
from tiktok_hook.relay.attachment import IN_ALL, IN_ORDER
from tiktok_hook.store.postgres.connection import DEADLINE_SECONDS
from tiktok_hook.store.postgres.presence import LEASE_SECONDS, RENEW_SECONDS

ATTACHED = "relay/test_attachment.py"
QUEUE = "relay/test_queue_runner.py"
CONTRACT = "store/contract/test_attachment.py"
FAULTS = "store/postgres/test_faults.py"
RESTORE = "store/postgres/test_restore.py"
COMMANDS = "store/postgres/test_commands.py"
TEAM = "store/postgres/test_team.py"

ATTACH = {
    "Every accepted delivery that": (
        (ATTACHED, "test_an_app_gets_what_another_process_receives_in_order"),
        (ATTACHED, "test_each_app_gets_what_matches_its_filter"),
    ),
    "Rejected and imported deliveries": (
        (ATTACHED, "test_what_was_rejected_or_imported_reaches_no_app"),
    ),
    "A crash of `attach`,": (
        (ATTACHED, "test_kill_9_loses_nothing_and_repeats_one_at_most"),
        (ATTACHED, "test_a_restart_of_the_server_loses_nothing"),
        (QUEUE, "test_a_delivery_that_crashes_the_app_does_not_hold_up_the_others"),
    ),
    "**In order** of their": (
        (ATTACHED, "test_an_app_gets_what_another_process_receives_in_order"),
        (QUEUE, "test_the_order_is_kept_until_it_is_up"),
    ),
    "While the app cannot": (
        (ATTACHED, "test_while_the_app_is_down_a_bounded_number_waits_and_nothing_is_lost"),
    ),
    "A delivery that the": (
        (ATTACHED, "test_what_the_app_fails_is_set_aside_and_the_next_one_follows"),
        (QUEUE, "test_it_leaves_the_queue_as_failed_with_one_notice"),
    ),
    "The cursor and the": (
        (CONTRACT, "test_the_cursor_moves_with_what_it_puts_into_the_queue"),
        (CONTRACT, "test_a_cursor_that_is_elsewhere_does_not_move_and_nothing_is_queued"),
    ),
    "At most 256 deliveries": (
        (ATTACHED, "test_while_the_app_is_down_a_bounded_number_waits_and_nothing_is_lost"),
        (CONTRACT, "test_retention_spares_what_it_has_queued_and_counts_what_it_had_not_seen"),
    ),
    "When the queue is": (
        (CONTRACT, "test_retention_spares_what_it_has_queued_and_counts_what_it_had_not_seen"),
        (ATTACHED, "test_what_retention_deleted_before_it_was_seen_is_reported_once"),
    ),
    "The queue of an": (
        (CONTRACT, "test_the_queue_of_an_attached_app_never_keeps_a_listener_from_storing"),
    ),
    "On PostgreSQL a name": (
        (FAULTS, "test_one_at_a_time_has_the_queue_and_a_lost_lease_is_noticed"),
        (ATTACHED, "test_a_clock_that_is_off_by_an_hour_loses_nothing"),
    ),
    "It is renewed every": ((ATTACHED, "test_a_handler_at_a_breakpoint_keeps_the_name"),),
    "If a machine sleeps": (
        (ATTACHED, "test_a_stopped_process_is_taken_over_and_ends_when_it_is_woken"),
    ),
    "The first one then": (
        ("cli/test_attach.py", "test_it_ends_with_5_when_another_process_has_taken_its_name"),
        (ATTACHED, "test_a_stopped_process_is_taken_over_and_ends_when_it_is_woken"),
    ),
    "After a crash on": ((ATTACHED, "test_kill_9_loses_nothing_and_repeats_one_at_most"),),
    "With a file, the": (
        ("store/sqlite/test_file_lock.py", "test_it_is_free_again_when_its_holder_was_killed"),
    ),
    "After a shared history": (
        (RESTORE, "test_an_app_continues_in_a_copy_where_it_was_in_the_dump"),
        (RESTORE, "test_listener_and_app_continue_when_a_dump_is_restored_in_place"),
    ),
    "It may get deliveries": (
        (RESTORE, "test_listener_and_app_continue_when_a_dump_is_restored_in_place"),
    ),
    "Deliveries received since then": (
        (RESTORE, "test_listener_and_app_continue_when_a_dump_is_restored_in_place"),
    ),
}

SHARED = {
    "TikTok gets its 200": (
        (FAULTS, "test_what_was_acknowledged_survives_it_under_load"),
        (FAULTS, "test_what_is_acknowledged_is_on_disk_whatever_the_server_s_setting"),
    ),
    "Ids are committed in": (("store/postgres/test_order.py", "test_a_follower_misses_nothing"),),
    "Redeliveries are numbered correctly,": (
        (FAULTS, "test_redeliveries_are_numbered_exactly_across_listeners"),
    ),
    "While the server cannot": (
        (COMMANDS, "test_tiktok_is_answered_503_while_the_server_is_away"),
    ),
    "A delivery that was": ((FAULTS, "test_what_was_acknowledged_survives_it_under_load"),),
    "Every call has a": (
        (FAULTS, "test_a_reader_gets_an_error_at_the_deadline"),
        (FAULTS, "test_a_batch_cut_off_in_the_middle_holds_up_no_other_listener"),
    ),
    "A listener whose connection": (
        (FAULTS, "test_a_batch_cut_off_in_the_middle_holds_up_no_other_listener"),
    ),
    "A queue belongs to": ((CONTRACT, "test_each_app_has_a_queue_a_cursor_and_a_lock_of_its_own"),),
    "An app is a": (
        ("cli/test_attach.py", "test_the_name_is_this_user_on_this_machine"),
        (TEAM, "test_two_users_of_one_machine_have_apps_of_their_own"),
    ),
    "One process at a": ((CONTRACT, "test_one_process_at_a_time_has_the_name"),),
    "It holds a lease": ((FAULTS, "test_one_at_a_time_has_the_queue_and_a_lost_lease_is_noticed"),),
}
"""How each sentence begins, and the tests that show it."""


def sentences(page: str) -> list[str]:
    """The sentences of the list of promises on a page."""
    section = PAGES[page].partition("## What you can rely on\n")[2].partition("\n## ")[0]
    items = re.findall(r"(?ms)^- (.*?)(?=^- |^$|\Z)", section)
    return [
        sentence
        for item in items
        for sentence in re.split(r"(?<=\.) (?=\S)", " ".join(item.split()))
    ]


@pytest.mark.parametrize(
    ("page", "promises"), [("docs/attach.md", ATTACH), ("docs/team.md", SHARED)]
)
def test_each_promise_is_shown_by_a_test(
    page: str, promises: dict[str, tuple[tuple[str, str], ...]]
) -> None:
    for sentence, words in zip(sentences(page), promises, strict=True):
        assert sentence.startswith(words)
    for file, name in {each for shown_by in promises.values() for each in shown_by}:
        text = (Path(__file__).parent / file).read_text("utf-8")
        assert re.search(rf"def {name}\(", text), f"{file} has no {name}"


def test_the_numbers_of_the_promises_are_the_real_ones() -> None:
    attach, shared = (" ".join(sentences(f"docs/{page}.md")) for page in ("attach", "team"))
    assert f"At most {IN_ORDER} deliveries wait in order, and {IN_ALL:,} with" in attach
    assert f"a **lease** of {LEASE_SECONDS:.0f} s by" in attach
    assert (
        f"a lease of {LEASE_SECONDS:.0f} s, which it renews every {RENEW_SECONDS:.0f} s" in shared
    )
    assert f"renewed every {RENEW_SECONDS:.0f} s by" in attach
    assert f"a deadline of {DEADLINE_SECONDS:.0f} s" in shared
