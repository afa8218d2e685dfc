"""Our own API under Schemathesis: every answer is one that its OpenAPI document names."""

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi import checks

from tests import fuzzing
from tests.apps import free_port
from tests.inspector.conftest import TOKEN, Served, running
from tests.page_tools import api_types
from tiktok_hook.inspector import openapi

DOCUMENT = openapi.document()
CALLS = [
    (method, path)
    for path, item in DOCUMENT["paths"].items()
    for method in item
    if path != "/api/v1/stream"  # has no end
]
LONGEST_TARGET = 8190
"""Bytes of path and query; what is longer never comes to the API."""

HELD_TO = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
SETTINGS = settings(
    fuzzing.one_in(10),
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def attack(served: Served, method: str, path: str, mode: GenerationMode) -> None:
    """Send generated calls of one operation and judge each answer."""
    operation = schemathesis.openapi.from_dict(DOCUMENT)[path][method]
    unreachable = f"http://127.0.0.1:{free_port()}"

    @SETTINGS
    @given(case=operation.as_strategy(generation_mode=mode))
    def calls(case: Case[Any]) -> None:
        if isinstance(case.body, dict) and isinstance(case.body.get("target"), str):
            case.body["target"] = unreachable  # a generated name would be looked up on the network
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = case.call(base_url=served.address, headers=headers, timeout=10)
        if len(answer.request.url or "") - len(served.address) > LONGEST_TARGET:
            assert answer.status_code == 400  # by aiohttp's parser, in words of its own
            return
        case.validate_response(answer, checks=HELD_TO)

    calls()


@pytest.mark.hypothesis  # which cannot see it inside `attack`
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_generated_calls_are_answered_as_the_document_describes(
    method: str, path: str, mode: GenerationMode
) -> None:
    async with running() as served:
        for body in (b'{"event":"post.publish.complete","content":"{}"}', b"\x00\xff", b""):
            await served.receive(body)
        await asyncio.to_thread(attack, served, method, path, mode)


async def test_the_status_has_the_properties_that_the_document_names(served: Served) -> None:
    schemas = DOCUMENT["components"]["schemas"]
    found = await served.get("/api/v1/status")
    assert found.keys() == schemas["Status"]["properties"].keys()
    assert found["history"].keys() == schemas["Counts"]["properties"].keys()


@pytest.mark.parametrize(("length", "status"), [(LONGEST_TARGET, 200), (LONGEST_TARGET + 1, 400)])
async def test_an_address_is_read_up_to_a_length(served: Served, length: int, status: int) -> None:
    path = "/api/v1/deliveries?q="
    reply = await served.ask("GET", path + "a" * (length - len(path)))
    assert reply.status == status


def test_the_pages_types_are_those_of_the_document() -> None:
    assert api_types.FILE.read_text("utf-8") == api_types.text(), "run `make format`"
