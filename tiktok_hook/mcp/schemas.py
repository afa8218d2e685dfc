"""JSON Schema of a tool's input or output, with its definitions inside."""

from typing import Any

from tiktok_hook.inspector.schema import Json, schema_of

_ELSEWHERE, _INSIDE = "#/components/schemas/", "#/$defs/"


def tool_schema(kind: type) -> Json:
    """The schema of a dataclass or TypedDict as one self-contained object.

    The protocol demands an object at the root, so the root is not a reference.
    """
    components: dict[str, Json] = {}
    name = schema_of(kind, components)["$ref"].removeprefix(_ELSEWHERE)
    root: Json = components.pop(name)
    if components:
        root = root | {"$defs": components}
    moved = _moved(root)
    assert isinstance(moved, dict)
    return moved


def _moved(value: Any) -> Any:
    """The schema with its references pointing inside."""
    if isinstance(value, dict):
        return {
            key: each.replace(_ELSEWHERE, _INSIDE)
            if key == "$ref" and isinstance(each, str)
            else _moved(each)
            for key, each in value.items()
        }
    return [_moved(each) for each in value] if isinstance(value, list) else value
