"""A few seconds of the worst unsigned flood; ``make flood`` runs ten minutes of it."""

from pathlib import Path

import pytest

from tests.faults.flood import flood


@pytest.mark.realtime
@pytest.mark.parametrize("form", ["json", "normal"])
def test_a_flood_is_bounded_and_delays_no_real_delivery(form: str, tmp_path: Path) -> None:
    result = flood(8, form, tmp_path)
    assert result.exceeded(form) == [], str(result)
    assert {"200", "400", "403", "405"} <= result.answers.keys()
    assert len(result.real_seconds) >= 2
