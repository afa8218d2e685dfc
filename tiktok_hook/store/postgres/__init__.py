"""The PostgreSQL backend; imported only when a history is on a server."""

from importlib.util import find_spec

from tiktok_hook.errors import StoreError

try:
    _installed = find_spec("psycopg") is not None
except ValueError:  # it was made unimportable
    _installed = False
if not _installed:
    raise StoreError(
        "A history on PostgreSQL needs psycopg, which is not installed.",
        hint="pip install 'tiktok-hook[postgres]'",
    )
