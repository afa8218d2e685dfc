"""Columns of values arrive at the server as they are."""

from typing import Any

import psycopg
import pytest

from tests.postgres import PostgresServer
from tiktok_hook.store.postgres.arrays import (
    BIGINT,
    BOOLEAN,
    BYTEA,
    COMMON_BYTEA,
    COMMON_TEXT,
    FLOAT,
    INTEGER,
    TEXT,
    Array,
    ArrayDumper,
    Column,
)

CASES: list[tuple[Column, list[Any]]] = [
    (FLOAT, [0.0, -1.5, 1_795_410_390.25, float("inf"), 5e-324]),
    (BIGINT, [0, -1, (1 << 63) - 1, -(1 << 63)]),
    (INTEGER, [0, -1, (1 << 31) - 1, -(1 << 31)]),
    (BOOLEAN, [True, False]),
    (TEXT, ["", "é\u2028\U0001f600", '{"a", NULL, \\}', "x" * 70_000]),
    (COMMON_TEXT, ["valid", "valid", "", "é"]),
    (BYTEA, [b"", bytes(range(256)), b"NULL"]),
    (COMMON_BYTEA, [b"/webhook", b"/webhook", b"\xff"]),
]


@pytest.mark.parametrize(("column", "values"), CASES, ids=lambda case: getattr(case, "type", ""))
@pytest.mark.parametrize("shape", ["full", "with NULL", "only NULL", "empty", "one"])
def test_a_column_arrives_as_it_is(
    server: PostgresServer, column: Column, values: list[Any], shape: str
) -> None:
    given: list[Any] = {
        "full": values,
        "with NULL": [None, *values, None],
        "only NULL": [None],
        "empty": [],
        "one": values[:1],
    }[shape]
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.adapters.register_dumper(Array, ArrayDumper)
        query = f"SELECT %b::{column.type}[]"
        found = connection.execute(query.encode(), [column.encode(given)], binary=True).fetchone()
    assert found == (given,)
