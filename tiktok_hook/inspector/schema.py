"""JSON Schema from types: TypedDicts, dataclasses, unions, literals, lists and `Annotated`."""

import dataclasses
import types
from collections.abc import Mapping
from enum import Enum
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

Json = dict[str, Any]

_PLAIN: dict[Any, Json] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
}


def schema_of(kind: Any, components: dict[str, Json]) -> Json:
    """The schema of a type.

    Args:
        kind: The type; a TypedDict or dataclass becomes a reference.
        components: Gets the schema of every TypedDict and dataclass that is referred to.

    Raises:
        TypeError: There is no schema for such a type.
    """
    origin = get_origin(kind)
    if origin is Annotated:
        inner, *extras = get_args(kind)
        found = dict(schema_of(inner, components))
        for extra in extras:
            found |= {"description": extra} if isinstance(extra, str) else dict(extra)
        return found
    if origin in {Required, NotRequired}:
        return schema_of(get_args(kind)[0], components)
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if origin is Literal:
        return {"enum": list(get_args(kind))}
    if origin in {Union, types.UnionType}:
        return _union([schema_of(each, components) for each in get_args(kind)])
    if origin in {list, tuple}:
        return {"type": "array", "items": schema_of(get_args(kind)[0], components)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": schema_of(get_args(kind)[1], components)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [each.value for each in kind]}
    if is_typeddict(kind) or dataclasses.is_dataclass(kind):
        name = kind.__name__.removesuffix("Shape")
        if name not in components:
            components[name] = {}  # first, as a type may refer to itself
            components[name] = _record(kind, components)
        return {"$ref": f"#/components/schemas/{name}"}
    raise TypeError(f"There is no schema for {kind!r}.")


def parameters(kind: type, place: str = "query") -> list[Json]:
    """OpenAPI parameters of the fields of a dataclass, with their descriptions."""
    found = []
    for name, each in get_type_hints(kind, include_extras=True).items():
        schema = schema_of(each, {})
        words = schema.pop("description", "")
        parameter = {"name": name, "in": place, "description": words, "schema": _not_null(schema)}
        found.append(parameter)
    return found


def _not_null(schema: Json) -> Json:
    """Schema without null, for a value that is omitted when it is absent."""
    if isinstance(schema.get("type"), list):
        (only,) = (each for each in schema["type"] if each != "null")
        return schema | {"type": only}
    if "enum" in schema:
        return schema | {"enum": [each for each in schema["enum"] if each is not None]}
    return schema


def _union(parts: list[Json]) -> Json:
    if all(part.keys() == {"type"} for part in parts):
        return {"type": [part["type"] for part in parts]}
    if [*parts[1:]] == [{"type": "null"}]:
        first = parts[0]
        if isinstance(first.get("type"), str):
            return first | {"type": [first["type"], "null"]}
        if first.keys() == {"enum"}:
            return {"enum": [*first["enum"], None]}
    return {"anyOf": parts}


def _record(kind: Any, components: dict[str, Json]) -> Json:
    hints = get_type_hints(kind, include_extras=True)
    found: Json = {
        "type": "object",
        "properties": {name: schema_of(each, components) for name, each in hints.items()},
    }
    if kind.__doc__:
        found["description"] = kind.__doc__.partition("\n")[0]
    if is_typeddict(kind):
        return found | {"required": sorted(kind.__required_keys__, key=list(hints).index)}
    required = [
        each.name
        for each in dataclasses.fields(kind)
        if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
    ]
    return found | {"additionalProperties": False} | ({"required": required} if required else {})
