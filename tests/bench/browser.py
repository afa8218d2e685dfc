"""The inspector's page in a real browser."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.bench.programs import NotMeasuredError, on_every_core
from tests.bench.table import Bench

if TYPE_CHECKING:
    from playwright.sync_api import Page


@contextmanager
def open_page(bench: Bench, address: str) -> Iterator["Page"]:
    """Open the page in Chromium, with its stream of events, until the block ends.

    Raises:
        NotMeasuredError: There is no Chromium.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise NotMeasuredError("there is no chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright  # a browser's, of no other row

    from tests.pictures.page import ARGUMENTS

    # A browser is several processes, which run on all cores elsewhere too.
    with on_every_core(bench.cores), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("#head .counts")
        page.wait_for_timeout(1000)  # until the stream is open
        yield page
        browser.close()
