"""A server and a database for tests of what only PostgreSQL has."""

import pytest

from tests import postgres
from tests.postgres import PostgresServer


@pytest.fixture
def server() -> PostgresServer:
    """The server of this process."""
    return postgres.server()


@pytest.fixture
def database(server: PostgresServer) -> str:
    """The name of an empty database."""
    return server.new_database()
