"""What earlier deliveries from TikTok show about the settings."""

from tiktok_hook.delivery import Delivery, Source
from tiktok_hook.doctor.subject import Subject
from tiktok_hook.errors import StoreError

_HOW_MANY = 20


def newest(subject: Subject) -> list[Delivery]:
    """TikTok's newest deliveries, newest first; none where there is no history to be read."""
    from tiktok_hook.store import Filter, locate, open_history

    try:
        with open_history(locate(subject.db, where="db")) as history:
            return history.page(Filter(source=Source.TIKTOK), limit=_HOW_MANY)
    except StoreError:
        return []
