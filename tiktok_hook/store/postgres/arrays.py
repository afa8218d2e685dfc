"""Encodes columns of values as PostgreSQL's binary arrays, for the functions of the schema.

psycopg would look at each value to find out its type, which for a lone delivery took a fifth of the
time until it was stored. Here the type of a column is known.

The format is that of ``array_recv``: number of dimensions, whether there are NULLs, type of the
elements, then length and first index, and for each element its length (-1 is NULL) and its bytes.
Source: src/backend/utils/adt/arrayfuncs.c of PostgreSQL.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from struct import Struct
from typing import Any

from psycopg import pq
from psycopg.adapt import Dumper

_INT = Struct("!i").pack
_HEAD = Struct("!iiIii").pack
_EMPTY = Struct("!iiI").pack
_NULL = _INT(-1)
_BOOLEANS = {each: _INT(1) + bytes([each]) for each in (False, True)}


class Array(bytes):
    """An array in binary format; its type is that of the parameter."""


class ArrayDumper(Dumper):
    """Passes an `Array` to the server unchanged."""

    format = pq.Format.BINARY

    def dump(self, obj: Array) -> bytes:
        """The same bytes."""
        return obj


@dataclass(frozen=True)
class Column:
    """How one column is encoded.

    Attributes:
        type: The name of its elements' type in SQL.
        oid: The number of that type.
        element: Gives a value, which is not None, with its length before it.
    """

    type: str
    oid: int
    element: Callable[[Any], bytes]

    def encode(self, values: Sequence[Any]) -> Array:
        """Encode values as an array; None is NULL."""
        if not values:
            return Array(_EMPTY(0, 0, self.oid))
        has_nulls = None in values
        if has_nulls:
            elements = [_NULL if each is None else self.element(each) for each in values]
        else:
            elements = list(map(self.element, values))
        return Array(_HEAD(1, has_nulls, self.oid, len(values), 1) + b"".join(elements))


def _text(value: str) -> bytes:
    data = value.encode()
    return _INT(len(data)) + data


def _bytes(value: bytes) -> bytes:
    return _INT(len(value)) + value


FLOAT = Column("float8", 701, partial(Struct("!id").pack, 8))
BIGINT = Column("int8", 20, partial(Struct("!iq").pack, 8))
INTEGER = Column("int4", 23, partial(Struct("!ii").pack, 4))
BOOLEAN = Column("boolean", 16, _BOOLEANS.__getitem__)
TEXT = Column("text", 25, _text)
BYTEA = Column("bytea", 17, _bytes)

# What most rows have in common is encoded once.
COMMON_TEXT = Column("text", 25, lru_cache(1024)(_text))
COMMON_BYTEA = Column("bytea", 17, lru_cache(256)(_bytes))
