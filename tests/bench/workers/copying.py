"""Copies rows that the product has stored into a table like theirs, in binary, 256 in a commit.

``python -m tests.bench.workers.copying URL --rows 10000 --seconds 4``: the rows are encoded before
the time begins, so this is about as fast as a client can be.
"""

import argparse
import json
import time

import psycopg

from tests.bench.workers.steps import ready

BATCH = 256

_MAKE = "CREATE TABLE IF NOT EXISTS bare (LIKE tiktok_hook.deliveries INCLUDING ALL)"
_READ = (
    "COPY (SELECT * FROM tiktok_hook.deliveries ORDER BY id LIMIT {} OFFSET {}) "
    "TO STDOUT (FORMAT BINARY)"
)
_WRITE = "COPY bare FROM STDIN (FORMAT BINARY)"


def main() -> None:
    """Encode the rows, copy them for some time, and print how many a second."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    chosen = parser.parse_args()
    with psycopg.connect(chosen.url, autocommit=True) as connection:
        cursor = connection.cursor()
        cursor.execute(_MAKE)
        batches = []
        for offset in range(0, chosen.rows, BATCH):
            with cursor.copy(_READ.format(BATCH, offset).encode()) as copied:
                batches.append(b"".join(copied))
        ready()
        copied_rows, taken = 0, 0.0
        while taken < chosen.seconds:
            cursor.execute("TRUNCATE bare")
            began = time.perf_counter()
            for each in batches:
                with cursor.copy(_WRITE) as copy:
                    copy.write(each)
            taken += time.perf_counter() - began
            copied_rows += len(batches) * BATCH
        cursor.execute("DROP TABLE bare")
    print(json.dumps(copied_rows / taken))


if __name__ == "__main__":
    main()
