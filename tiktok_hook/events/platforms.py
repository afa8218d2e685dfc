"""Recognises bodies of other TikTok platforms, which have another envelope."""

from tiktok_hook.exact_json import Json, loads

SHOP = "TikTok Shop"
LEADS = "TikTok Lead Generation"

_MAX_BYTES = 64 * 1024


def platform_of(body: bytes) -> str | None:
    """The name of another TikTok platform whose webhook this is; None for any other body.

    The body decides, under whatever header the signature came. Never raises.

    Args:
        body: As received; longer ones than 64 KiB are not looked at.
    """
    if len(body) > _MAX_BYTES or not (b"tts_notification_id" in body or b"lead_id" in body):
        return None
    try:
        value = loads(body)
    except ValueError:
        return None
    if not isinstance(value, dict) or isinstance(value.get("event"), str):
        return None
    if "tts_notification_id" in value:
        return SHOP
    return LEADS if _names_a_lead(value) else None


def _names_a_lead(value: dict[str, Json]) -> bool:
    """Whether a lead's number is in the body or one level below it."""
    inner = [each for each in value.values() if isinstance(each, dict)]
    inner += [
        item
        for each in value.values()
        if isinstance(each, list)
        for item in each
        if isinstance(item, dict)
    ]
    return "lead_id" in value or any("lead_id" in each for each in inner)
