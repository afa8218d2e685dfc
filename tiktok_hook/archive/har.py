"""HAR 1.2: what browsers and proxies exchange, written so that nothing of ours is lost.

A delivery is one entry, answered as TikTok was; each attempt is an entry of its own after it. What
the format has no place for is stored under ``_tiktok_hook``. A request body that is not text is in
base64, with ``_encoding`` next to it.

Source: http://www.softwareishard.com/blog/har-12-spec/
"""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tiktok_hook.addresses import url_of, valid_url
from tiktok_hook.archive.entry import Entry
from tiktok_hook.delivery import (
    Attempt,
    Delivery,
    Headers,
    attempt_json,
    delivery_json,
    dump,
    timestamp,
)

EXTENSION = "_tiktok_hook"
"""Where an entry keeps what HAR has no place for."""


def write(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The pieces of one HAR document."""
    from importlib.metadata import version  # slow to import

    creator = dump({"name": "tiktok-hook", "version": version("tiktok-hook")})
    yield b'{"log":{"version":"1.2","creator":' + creator + b',"entries":['
    separator = b"\n"
    for entry in entries:
        delivery = delivery_json(entry.delivery)
        yield separator + dump(_delivery_entry(entry.delivery, delivery))
        separator = b",\n"
        for attempt in entry.attempts:
            yield separator + dump(_attempt_entry(attempt, delivery))
    yield b"\n]}}\n"


def _delivery_entry(delivery: Delivery, shape: Mapping[str, Any]) -> dict[str, Any]:
    left = {key: value for key, value in shape.items() if key not in _ELSEWHERE}
    return {
        "startedDateTime": timestamp(delivery.received_at),
        "time": 0,
        "request": _request(
            delivery.method,
            url_of(delivery),
            f"HTTP/{delivery.http_version}",
            delivery.headers,
            _post_data(delivery.headers, shape),
            len(delivery.body),
        ),
        "response": _response(delivery.status, (), {}, -1),
        "cache": {},
        "timings": {"send": 0, "wait": 0, "receive": 0},
        "comment": f"#{delivery.id} {delivery.summary}",
        EXTENSION: {"type": "delivery", **left},
    }


def _attempt_entry(attempt: Attempt, delivery: Mapping[str, Any]) -> dict[str, Any]:
    shape = attempt_json(attempt)
    changed = attempt.request_body is not None
    body = shape["request"] if changed else delivery
    left = {key: value for key, value in shape.items() if key not in _ELSEWHERE}
    took = max(attempt.duration_ms or 0.0, 0.0)
    return {
        "startedDateTime": timestamp(attempt.started_at),
        "time": took,
        "request": _request(
            attempt.request_method,
            valid_url(attempt.target),
            "HTTP/1.1",
            attempt.request_headers,
            _post_data(attempt.request_headers, body),
            -1 if attempt.request_body is None else len(attempt.request_body),
        ),
        "response": _response(attempt.status, attempt.headers, shape, len(attempt.body)),
        "cache": {},
        "timings": {"send": 0, "wait": took, "receive": 0},
        "comment": f"#{attempt.id} {'replay of' if attempt.replay else 'forwarded from'} "
        f"#{attempt.delivery_id}",
        EXTENSION: {"type": "attempt", **left, "request_body_changed": changed},
    }


_ELSEWHERE = {"headers", "body", "body_base64", "body_decoded", "event", "request"}
"""Fields of ours that have their place in HAR's own, or are made from those."""


def _request(
    method: str,
    url: str,
    http_version: str,
    headers: Headers,
    post_data: Mapping[str, Any],
    size: int,
) -> dict[str, Any]:
    query = urlsplit(url).query
    request = {
        "method": method,
        "url": url,
        "httpVersion": http_version,
        "cookies": [],
        "headers": _headers(headers),
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(query, keep_blank_values=True)
        ],
        "headersSize": -1,
        "bodySize": size,
    }
    if post_data:
        request["postData"] = post_data
    return request


def _response(
    status: int | None, headers: Headers, body: Mapping[str, Any], size: int
) -> dict[str, Any]:
    content: dict[str, Any] = {
        "size": max(size, 0),
        "mimeType": _media_type(headers),
    }
    if "body_base64" in body:
        content |= {"text": body["body_base64"], "encoding": "base64"}
    elif body.get("body"):
        content["text"] = body["body"]
    known = status in {each.value for each in HTTPStatus}
    return {
        "status": status or 0,
        "statusText": HTTPStatus(status).phrase if known and status else "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _headers(headers),
        "content": content,
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": size,
    }


def _headers(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _post_data(headers: Headers, body: Mapping[str, Any]) -> dict[str, str]:
    """HAR's place for a request's body; empty without one."""
    if "body_base64" in body:
        return {
            "mimeType": _media_type(headers),
            "text": body["body_base64"],
            "_encoding": "base64",
        }
    if not body.get("body"):
        return {}
    return {"mimeType": _media_type(headers), "text": body["body"]}


def _media_type(headers: Headers) -> str:
    for name, value in headers:
        if name.lower() == "content-type":
            return value
    return "application/octet-stream"
