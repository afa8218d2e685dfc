"""An AsyncAPI 3 document around the JSON Schemas: the app receives, at the Callback URL."""

from collections.abc import Iterable

from tiktok_hook.events.catalogue import CATALOGUE
from tiktok_hook.events.event_type import EventType
from tiktok_hook.events.facts import FACTS, HEADERS
from tiktok_hook.events.json_schema import CONFIDENCE, SOURCE, Schema, definitions, examples

VERSION = "3.0.0"
_FORMAT = "application/schema+json;version=draft-2020-12"


def document(kinds: Iterable[EventType] = CATALOGUE.values(), *, version: str = "1.0.0") -> Schema:
    """One channel, the Callback URL, with a message for each event.

    Args:
        kinds: The events.
        version: Of the document.
    """
    chosen = list(kinds)
    keys = {kind.name: kind.name.replace(".", "_") for kind in chosen}
    schemas = definitions(chosen, at="#/components/schemas/")
    channel = "#/channels/callback"
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "TikTok webhooks",
            "version": version,
            "description": "What is known of the events that TikTok POSTs to a Callback URL.\n\n"
            + "\n".join(f"- {fact.text} ({fact.mark})" for fact in FACTS["Delivery"]),
        },
        "defaultContentType": "application/json",
        "channels": {
            "callback": {
                "address": None,
                "description": "The Callback URL, as it is registered with TikTok.",
                "messages": {
                    key: {"$ref": f"#/components/messages/{key}"} for key in keys.values()
                },
            }
        },
        "operations": {
            "receive": {
                "action": "receive",
                "channel": {"$ref": channel},
                "messages": [{"$ref": f"{channel}/messages/{key}"} for key in keys.values()],
                "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
            }
        },
        "components": {
            "messages": {keys[kind.name]: _message(kind) for kind in chosen},
            "schemas": {
                name: {"schemaFormat": _FORMAT, "schema": _inline(schema, schemas)}
                for name, schema in schemas.items()
            },
        },
    }


def _message(kind: EventType) -> Schema:
    return {
        "name": kind.name,
        "title": kind.name,
        "summary": kind.meaning,
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "properties": {
                header.name: {"type": header.type, "description": header.meaning}
                for header in HEADERS
            },
            "required": [header.name for header in HEADERS if not header.optional],
        },
        "payload": {"$ref": f"#/components/schemas/{kind.name}"},
        "tags": [{"name": kind.product}],
        "examples": [{"name": kind.name, "payload": examples(kind)["body"]}],
        CONFIDENCE: kind.mark,
        SOURCE: kind.url,
    }


def _inline(schema: Schema, schemas: dict[str, Schema]) -> Schema:
    """A schema in which ``contentSchema`` holds its schema.

    A reference inside a schema of another format would be resolved in the whole document, where
    the schema is wrapped.
    """
    content = schema["properties"].get("content", {}).get("contentSchema")
    if content is None:
        return schema
    name = content["$ref"].rpartition("/")[2]
    properties = schema["properties"]
    inlined = properties["content"] | {"contentSchema": schemas[name]}
    return schema | {"properties": properties | {"content": inlined}}
