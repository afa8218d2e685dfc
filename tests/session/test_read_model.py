"""The current state of a session."""

from tiktok_hook.bus import Bus
from tiktok_hook.delivery import AppChanged
from tiktok_hook.inspector import Status
from tiktok_hook.session.read_model import ReadModel

FIRST, SECOND, THIRD = (f"http://localhost:{port}" for port in (3111, 3112, 3113))


def test_the_first_check_of_each_target_is_known_and_later_changes_count() -> None:
    model = ReadModel(started_at=0.0, targets=[FIRST, SECOND, THIRD])
    bus = Bus()
    with bus.connect(model.handlers()):
        fixed = Status(callback_url="", local_url="", started_at=0.0)
        assert model.status(fixed).target_up is None
        bus.publish(AppChanged("up", target=THIRD))  # newer than the check
        model.note_first_check({FIRST: False, SECOND: False, THIRD: False})
        assert model.status(fixed).up == {FIRST: False, SECOND: False, THIRD: True}
        assert model.status(fixed).target_up is False
        bus.publish(AppChanged("up", target=FIRST))
        assert model.status(fixed).target_up is True
