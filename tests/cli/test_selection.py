import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.history import filled
from tiktok_hook.cli import selection
from tiktok_hook.delivery import Source
from tiktok_hook.errors import StoreError, UsageError
from tiktok_hook.signature import State
from tiktok_hook.store import Filter, HistoryReader, open_history


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HistoryReader]:
    with open_history(filled(tmp_path_factory.mktemp("history") / "history.db")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["2"], [2]),
        (["#2"], [2]),
        (["last"], [6]),
        (["last-2"], [4]),
        (["2-4"], [2, 3, 4]),
        (["4-2"], [2, 3, 4]),
        (["#2-#3"], [2, 3]),
        (["last-1..last"], [5, 6]),
        (["5-999999999"], [5, 6]),
        (["1,3-4", "3", "last"], [1, 3, 4, 6]),
    ],
)
def test_ids_are_read_as_people_write_them(
    history: HistoryReader, words: list[str], ids: list[int]
) -> None:
    assert sorted(selection.chosen(history, words, Filter()).ids) == ids


def test_last_is_the_newest_that_matches_the_filters(history: HistoryReader) -> None:
    failed = Filter(events=("post.publish.failed",))
    assert selection.chosen(history, ["last", "last-1"], failed).ids == (3, 2)


def test_without_ids_the_filters_alone_count(history: HistoryReader) -> None:
    assert selection.chosen(history, [], Filter(failed=True)) == Filter(failed=True)


def test_words_that_are_not_ids_are_one_filter(history: HistoryReader) -> None:
    words = ["last", "post.publish.failed", "user:u-1", "2-3"]
    found = selection.chosen(history, words, Filter())
    assert (str(found.match), found.ids) == ("post.publish.failed user:u-1", (3, 2))
    assert selection.chosen(history, ["post.publish.failed user:u-1 last.one"], Filter()) == Filter(
        match="post.publish.failed user:u-1 last.one"
    )


def test_a_word_that_is_neither_is_named(history: HistoryReader) -> None:
    with pytest.raises(UsageError, match="usr:1 is not a term"):
        selection.chosen(history, ["usr:1"], Filter())


def test_where_nothing_matches_the_mistyped_event_is_named(history: HistoryReader) -> None:
    found = selection.nothing_fits(Filter(match="post.publish.compleet"))
    assert str(found) == "No delivery matches post.publish.compleet."
    assert "Did you mean post.publish.complete" in found.hint
    assert (
        selection.nothing_fits(Filter(failed=True)).hint
        == "tiktok-hook events lists what there is."
    )


def test_a_limit_keeps_the_newest(history: HistoryReader) -> None:
    found = selection.newest(history, Filter(redeliveries=False), 2)
    assert [each.id for each in history.walk(found)] == [5, 6]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("7", "There is no delivery 7."),
        ("0", "There is no delivery 0."),
        ("7-9", "There is no delivery 7-9."),
        ("999999999999999999", "There is no delivery 999999999999999999."),
        ("9999999999999999999", "'9999999999999999999' is not a delivery id."),
        ("last-6", "There is no last-6: 6 deliveries match."),
        ("2.1", "2.1 is an attempt"),
        ("-2", "'-2' is not a delivery id."),
        ("..", "'..' is not a delivery id."),
    ],
)
def test_what_is_not_there_is_named(history: HistoryReader, word: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        selection.chosen(history, [word], Filter())
    assert str(raised.value).startswith(message)
    assert raised.value.hint


@pytest.mark.parametrize("word", ["1-4", "last-5-last", "1,2", "post.*"])
def test_where_one_delivery_is_wanted_no_range_is_suggested(
    history: HistoryReader, word: str
) -> None:
    with pytest.raises(UsageError, match="is not a delivery id") as raised:
        selection.one(history, word)
    assert raised.value.hint == "Ids are 12, last and last-2, for instance."


NOW = time.mktime((2026, 11, 23, 12, 0, 0, 0, 0, -1))


def test_times_are_read_as_people_write_them() -> None:
    assert selection.moment("1h30m", option="--since", now=NOW) == NOW - 5400


@pytest.mark.parametrize("text", ["", "soon", "1", "1y", "25:00", "2026-13-01", "h", "1h ago"])
def test_an_invalid_time_is_a_usage_error_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match=r"--until '.*' is not a time") as raised:
        selection.moment(text, option="--until", now=NOW)
    assert "--until 1h" in raised.value.hint


def test_the_choices_are_all_that_there_are() -> None:
    assert list(selection.VERDICTS) == list(State)
    assert list(selection.SOURCES) == list(Source)


def test_where_there_is_no_history_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no history at"):
        selection.opened(tmp_path / "none.db")
    assert not list(tmp_path.iterdir())
