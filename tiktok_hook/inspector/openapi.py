"""The operations of `/api/v1`, and the OpenAPI 3.1 document that is generated from their types."""

from dataclasses import dataclass
from typing import Any

from tiktok_hook.inspector import requests as ask
from tiktok_hook.inspector import responses as give
from tiktok_hook.inspector.schema import Json, parameters, schema_of

PREFIX = "/api/v1"

JSON = "application/json"
FILE = "application/octet-stream"
EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    Attributes:
        method: In upper case.
        path: Below `PREFIX`.
        handler: Name of the method of `Api` that answers it; None for those served elsewhere.
        summary: What it does, in one sentence.
        query: Type of its query; None without one.
        body: Type of its JSON body; None without one.
        response: Type of its JSON response; None for a file or a stream.
        media: Media type of its response.
        missing: Whether it answers 404 when there is no such delivery.
    """

    method: str
    path: str
    handler: str | None
    summary: str
    query: type | None = None
    body: type | None = None
    response: type | None = None
    media: str = JSON
    missing: bool = False


OPERATIONS = (
    Operation(
        method="GET", path="/deliveries", handler="page", query=ask.PageQuery,
        response=give.PageShape, summary="A page of deliveries, newest first.",
    ),
    Operation(
        method="DELETE", path="/deliveries", handler="clear", query=ask.ClearQuery,
        response=give.RemovedShape, summary="Delete the matching deliveries; all without a filter.",
    ),
    Operation(
        method="GET", path="/count", handler="count", query=ask.FilterQuery,
        response=give.CountShape, summary="How many deliveries match.",
    ),
    Operation(
        method="GET", path="/filter", handler="check_filter", query=ask.CheckQuery,
        response=give.CheckedFilterShape, summary="Read a filter without applying it.",
    ),
    Operation(
        method="GET", path="/deliveries/{id}", handler="one", response=give.WholeShape,
        missing=True, summary="A delivery with everything that belongs to it.",
    ),
    Operation(
        method="GET", path="/deliveries/{id}/body", handler="body", media=FILE, missing=True,
        summary="The exact bytes of a body.",
    ),
    Operation(
        method="GET", path="/deliveries/{id}/curl", handler="curl", media=FILE, missing=True,
        summary="One curl command that sends a delivery to where a replay goes, signed now.",
    ),
    Operation(
        method="POST", path="/deliveries/{id}/replay", handler="replay", body=ask.ReplayRequest,
        response=give.ReplayedShape, missing=True,
        summary="Send a delivery again, edited and signed as asked.",
    ),
    Operation(
        method="GET", path="/samples", handler="samples", response=give.SamplesShape,
        summary="The catalogue of events, and the scenarios.",
    ),
    Operation(
        method="POST", path="/samples/{event}", handler="send_sample", body=ask.SampleRequest,
        response=give.SentShape, summary="Send a sample of an event to the receiver.",
    ),
    Operation(
        method="POST", path="/scenarios/{name}", handler="send_scenario",
        body=ask.ScenarioRequest, response=give.SentScenarioShape,
        summary="Send the events of a scenario to the receiver, in order.",
    ),
    Operation(
        method="POST", path="/send", handler="send", body=ask.SendRequest,
        response=give.SentBodyShape, summary="Sign a body and send it to the receiver.",
    ),
    Operation(
        method="GET", path="/status", handler="status", response=give.StatusShape,
        summary="The session and the history in numbers.",
    ),
    Operation(
        method="GET", path="/timeline", handler="timeline", query=ask.TimelineQuery,
        response=give.TimelineShape, summary="Deliveries and responses over time.",
    ),
    Operation(
        method="GET", path="/export", handler="export", query=ask.ExportQuery, media=FILE,
        summary="Deliveries as a file.",
    ),
    Operation(
        method="GET", path="/stream", handler=None, media=EVENTS,
        summary="Live changes as server-sent events; `Last-Event-ID` resumes.",
    ),
    Operation(
        method="GET", path="/openapi.json", handler="document", summary="This document.",
    ),
)  # fmt: skip


def document() -> Json:
    """The whole document."""
    components: dict[str, Json] = {}
    error = schema_of(give.ErrorShape, components)
    paths: dict[str, Json] = {}
    for each in OPERATIONS:
        item = paths.setdefault(f"{PREFIX}{each.path}", {})
        item[each.method.lower()] = _operation(each, error, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tiktok-hook inspector",
            "version": "1",
            "description": "Deliveries of TikTok's webhooks as this machine received them.",
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(components.items())),
        },
    }


_FAILURES = {
    "400": "A parameter or a field is invalid.",
    "401": "The token is missing or wrong.",
    "403": "Sent by another site, or to another host name.",
    "413": "The body is too long.",
    "415": "The body is not application/json.",
    "503": "The history is not available.",
}


def _operation(operation: Operation, error: Json, components: dict[str, Json]) -> Json:
    if operation.response is not None:
        content = schema_of(operation.response, components)
    else:
        content = {"type": "object" if operation.media == JSON else "string"}
    failures = _FAILURES | ({"404": "There is no such delivery."} if operation.missing else {})
    found: Json = {
        "summary": operation.summary,
        "parameters": [
            *_path_parameters(operation.path),
            *(parameters(operation.query) if operation.query else ()),
        ],
        "responses": {
            "200": {"description": "Done.", "content": {operation.media: {"schema": content}}},
            **{
                status: {"description": words, "content": {JSON: {"schema": error}}}
                for status, words in failures.items()
            },
        },
    }
    if operation.body is not None:
        schema = schema_of(operation.body, components)
        found["requestBody"] = {"required": False, "content": {JSON: {"schema": schema}}}
    return found


def _path_parameters(path: str) -> list[Json]:
    schemas: dict[str, Any] = {"id": ask.Id, "event": str, "name": str}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema_of(kind, {})}
        for name, kind in schemas.items()
        if f"{{{name}}}" in path
    ]
