"""The API described, in OpenAPI 3.1; a test holds it to the routes and to what they answer."""

from typing import Any

from aiohttp import web

from tiktok_hook.inspector import query
from tiktok_hook.replayer import Mode

Json = dict[str, Any]


async def handle(_: web.Request) -> web.Response:
    """The document."""
    return web.json_response(document())


def document() -> Json:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tiktok-hook inspector",
            "version": "1",
            "description": "Deliveries of TikTok's webhooks as this machine received them.",
        },
        "security": [{"bearer": []}],
        "paths": {f"/api/v1{path}": item for path, item in _paths().items()},
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _paths() -> Json:
    filters = [_query(name, words) for name, words in query.FILTERS.items()]
    pages = [
        _query("before", "Only smaller ids: what `next` gave.", _ID),
        _query("after", "Only greater ids, oldest first.", _ID),
        _query("limit", "At most so many.", {"type": "integer", "minimum": 1, "maximum": 200}),
    ]
    one = [{"name": "id", "in": "path", "required": True, "schema": _ID}]
    return {
        "/deliveries": {
            "get": _operation("A page of deliveries, newest first.", "Page", [*pages, *filters]),
            "delete": _operation("Empty the history, or what came before `until`.", "Removed",
                                 [_query("until", query.FILTERS["until"])]),
        },
        "/deliveries/{id}": {"get": _operation("A delivery whole.", "Whole", one, missing=True)},
        "/deliveries/{id}/body": {
            "get": _file("The body's exact bytes.", one, missing=True),
        },
        "/deliveries/{id}/replay": {
            "post": _operation(
                "Send it again, changed and signed as asked.", "Replayed", one,
                body="Replay", missing=True,
            ),
        },
        "/samples": {"get": _operation("The catalogue of events.", "Samples", [])},
        "/samples/{event}": {
            "post": _operation(
                "Send a signed sample to the receiver.", "Sent",
                [{"name": "event", "in": "path", "required": True, "schema": {"type": "string"}}],
                body="SampleWish",
            ),
        },
        "/status": {"get": _operation("The session and the history in numbers.", "Status", [])},
        "/timeline": {
            "get": _operation(
                "Deliveries and answers over time.", "Timeline",
                [_query("since", query.FILTERS["since"]), _query("until", query.FILTERS["until"]),
                 _query("buckets", "How many spans.",
                        {"type": "integer", "minimum": 1, "maximum": 300})],
            ),
        },
        "/export": {
            "get": _file(
                "Deliveries as a file.",
                [_query("format", "What kind of file.",
                        {"type": "string", "enum": ["jsonl", "har", "curl", "pytest"]}),
                 _query("ids", "Only these, separated by commas."), *filters],
            ),
        },
        "/stream": {
            "get": {
                "summary": "What happens, as server-sent events; `Last-Event-ID` goes on.",
                "parameters": [],
                "responses": {
                    "200": {"description": "Events without end.",
                            "content": {"text/event-stream": {"schema": {"type": "string"}}}},
                    **_failures(),
                },
            },
        },
        "/openapi.json": {
            "get": {
                "summary": "This document.",
                "parameters": [],
                "responses": {
                    "200": {"description": "OpenAPI 3.1.",
                            "content": {"application/json": {"schema": {"type": "object"}}}},
                    **_failures(),
                },
            },
        },
    }  # fmt: skip


_ID: Json = {"type": "integer", "minimum": 1, "maximum": 1 << 62}


def _query(name: str, words: str, schema: Json | None = None) -> Json:
    return {
        "name": name,
        "in": "query",
        "description": words,
        "schema": schema or {"type": "string"},
    }


def _failures(*, missing: bool = False) -> Json:
    statuses = {
        "400": "Something asked for cannot be used.",
        "401": "The token is missing or wrong.",
        "403": "From another site or by another name.",
        "413": "The body is too long.",
        "415": "The body is not application/json.",
        "503": "The history cannot be used now.",
    }
    if missing:
        statuses["404"] = "There is no such delivery."
    reference = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        status: {"description": words, "content": reference} for status, words in statuses.items()
    }


def _operation(
    words: str, schema: str, parameters: list[Json], *, body: str = "", missing: bool = False
) -> Json:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    found: Json = {
        "summary": words,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done.", "content": content},
            **_failures(missing=missing),
        },
    }
    if body:
        asked = {"application/json": {"schema": {"$ref": f"#/components/schemas/{body}"}}}
        found["requestBody"] = {"required": False, "content": asked}
    return found


def _file(words: str, parameters: list[Json], *, missing: bool = False) -> Json:
    return {
        "summary": words,
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "A download.",
                "content": {"application/octet-stream": {"schema": {"type": "string"}}},
            },
            **_failures(missing=missing),
        },
    }


def _object(properties: Json, *, optional: tuple[str, ...] = ()) -> Json:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


_TEXT: Json = {"type": "string"}
_TEXT_OR_NULL: Json = {"type": ["string", "null"]}
_NUMBER_OR_NULL: Json = {"type": ["number", "null"]}
_TIME: Json = {"type": "string", "format": "date-time"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_HEADERS: Json = {
    "type": "array",
    "items": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2},
}


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> Json:
    verdict = _object(
        {
            "state": {"enum": ["valid", "stale", "invalid", "missing", "unchecked"]},
            "reason": _TEXT,
            "hint": _TEXT,
            "age_seconds": _NUMBER_OR_NULL,
            "secret": {"type": ["integer", "null"]},
        }
    )
    delivery = _object(
        {
            "id": _ID,
            "received_at": {"type": "string", "format": "date-time"},
            "source": {"enum": ["tiktok", "trigger", "import"]},
            "remote_addr": _TEXT,
            "method": _TEXT,
            "path": _TEXT,
            "query": _TEXT,
            "http_version": _TEXT,
            "headers": _HEADERS,
            "body": _TEXT,
            "body_base64": _TEXT,
            "event": {"type": ["object", "null"]},
            "summary": _TEXT,
            "known": {"type": "boolean"},
            "verdict": verdict,
            "redelivery_of": {"type": ["integer", "null"]},
            "redelivery_number": {"type": "integer"},
            "status": {"type": ["integer", "null"]},
            "imported_id": {"type": ["integer", "null"]},
            "body_bytes": {
                "type": "integer",
                "description": "As received; of a refused one only the first 16 KiB are kept.",
            },
            "body_state": {"enum": ["exact", "missing", "decompressed", "altered"]},
            "scheme": {"enum": ["", "http", "https"]},
        },
        optional=("body", "body_base64"),
    )
    attempt = _object(
        {
            "id": _TEXT,
            "delivery_id": _ID,
            "number": {"type": "integer"},
            "started_at": {"type": "string", "format": "date-time"},
            "target": _TEXT,
            "replay": {"type": "boolean"},
            "resigned": {"type": "boolean"},
            "variant": _TEXT,
            "expects_rejection": {"type": "boolean"},
            "request": {"type": "object"},
            "status": {"type": ["integer", "null"]},
            "duration_ms": _NUMBER_OR_NULL,
            "headers": _HEADERS,
            "body": _TEXT,
            "body_base64": _TEXT,
            "truncated": {"type": "boolean"},
            "error": _TEXT_OR_NULL,
            "hint": _TEXT,
        },
        optional=("body", "body_base64"),
    )
    texts = {"type": "array", "items": _TEXT}
    row = _object(
        {
            "delivery": _reference("Delivery"),
            "product": _TEXT_OR_NULL,
            "last_attempt": {"anyOf": [_reference("Attempt"), {"type": "null"}]},
        }
    )
    return {
        "Delivery": delivery,
        "Attempt": attempt,
        "Row": row,
        "Error": _object({"error": _TEXT, "hint": _TEXT}),
        "Page": _object(
            {
                "deliveries": {"type": "array", "items": _reference("Row")},
                "next": {
                    "type": ["integer", "null"],
                    "description": "To go on: `before`. A search for a text may have found "
                    "nothing yet and still go on: it has looked at all ids from this one up.",
                },
            }
        ),
        "Whole": _object(
            {
                "delivery": _reference("Delivery"),
                "attempts": {"type": "array", "items": _reference("Attempt")},
                "redeliveries": {"type": "array", "items": {"type": "integer"}},
                "product": _TEXT_OR_NULL,
                "meaning": _TEXT_OR_NULL,
                "documentation": _TEXT_OR_NULL,
                "meanings": {"type": "object", "additionalProperties": _TEXT},
                "recorded_target": _TEXT_OR_NULL,
            }
        ),
        "Replay": {
            "type": "object",
            "properties": {
                "target": _TEXT_OR_NULL,
                "signing": {"enum": [*(mode.value for mode in Mode), None]},
                "age_seconds": {"type": "number"},
                "set": texts,
                "unset": texts,
                "headers": texts,
                "method": _TEXT_OR_NULL,
                "path": _TEXT_OR_NULL,
                "body": _TEXT_OR_NULL,
                "dry_run": {"type": "boolean"},
                "with_id": {"type": "boolean"},
            },
            "additionalProperties": False,
        },
        "Replayed": _object(
            {"attempt": _reference("Attempt"), "request": {"type": "object"}},
            optional=("attempt", "request"),
        ),
        "SampleWish": {
            "type": "object",
            "properties": {"set": texts},
            "additionalProperties": False,
        },
        "Sent": _object({"status": {"type": ["integer", "null"]}, "error": _TEXT_OR_NULL}),
        "Samples": _object({"samples": {"type": "array", "items": {"type": "object"}}}),
        "Status": _status(),
        "Removed": _object({"removed": _COUNT}),
        "Timeline": _object(
            {
                "since": {"type": "number"},
                "until": {"type": "number"},
                "buckets": {"type": "array", "items": {"type": "object"}},
            }
        ),
    }


def _status() -> Json:
    flag_or_null: Json = {"type": ["boolean", "null"]}
    tunnel = _object(
        {
            "state": {"enum": ["connecting", "online", "reconnecting", "closed"]},
            "url": _TEXT_OR_NULL,
            "since": _TIME,
            "error": _TEXT_OR_NULL,
            "latency_ms": _NUMBER_OR_NULL,
        }
    )
    counted = ("received", "valid", "stale", "refused", "unchecked", "redeliveries", "failed",
               "replayed", "pending")  # fmt: skip
    return _object(
        {
            "callback_url": _TEXT_OR_NULL,
            "local_url": _TEXT_OR_NULL,
            "tunnel": {"anyOf": [tunnel, {"type": "null"}]},
            "target": _TEXT_OR_NULL,
            "targets": {"type": "array", "items": _TEXT},
            "target_up": flag_or_null,
            "ack": _TEXT_OR_NULL,
            "started_at": {"anyOf": [_TIME, {"type": "null"}]},
            "received": {**_COUNT, "description": "In this session, as the next three."},
            "refused": _COUNT,
            "failed_attempts": _COUNT,
            "outages": _COUNT,
            "offline": {
                "type": "array",
                "items": _object({"since": _TIME, "until": {"anyOf": [_TIME, {"type": "null"}]}}),
            },
            "waiting": {**_COUNT, "description": "Deliveries that wait for the app."},
            "can_sign": {"type": "boolean"},
            "history": {
                **_object(dict.fromkeys(counted, _COUNT)),
                "description": "Of everything stored.",
            },
        }
    )
