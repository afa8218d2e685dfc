"""A history of many deliveries, made by the real store from a fixed seed and kept for later runs.

``python -m tests.bench.million FILE COUNT`` makes one.
"""

import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tiktok_hook import events
from tiktok_hook.delivery import Delivery
from tiktok_hook.signature import State, Verdict
from tiktok_hook.store import open_store
from tiktok_hook.store.sqlite import database

SEED = 20_261_123
FIRST_AT = 1_795_000_000.0
USERS = 5_000
SLICE = 4_096

COMMON = ("post.publish.complete", "post.publish.publicly_available")
"""What two thirds of the deliveries are; the other events share the rest."""


def path_for(folder: Path, count: int) -> Path:
    """The file of the history with N deliveries, once it is made."""
    return folder / f"history-{database.VERSION}-{count}.db"


def file_for(folder: Path, count: int) -> Path:
    """The file of the history, made now if it is not there yet."""
    path = path_for(folder, count)
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=folder, prefix="making-") as making:
            unfinished = Path(making) / "history.db"
            asyncio.run(make(unfinished, count))
            unfinished.rename(path)
        for older in set(folder.glob(f"history-*-{count}.db")) - {path}:
            older.unlink()  # of another schema, and as large
    return path


async def make(location: Path | str, count: int) -> None:
    """Write N deliveries, and rejected ones on top, of which few are kept."""
    left = count
    made = _deliveries(random.Random(SEED))
    with open_store(location, keep=2 * count, keep_bytes=1 << 40) as store:
        while left:
            some: list[Delivery] = []
            while left and len(some) < SLICE:
                some.append(next(made))
                left -= not some[-1].verdict.rejected
            await store.add_many(some)


def _deliveries(chance: random.Random) -> Iterator[Delivery]:
    samples = {name: json.loads(body) for name, body in events.samples().items()}
    names = list(samples)
    received_at = FIRST_AT
    body = b""
    while True:
        received_at += chance.expovariate(1 / 30)
        if not body or chance.random() > 0.02:  # else the last one comes again
            name = chance.choice(COMMON if chance.random() < 2 / 3 else names)
            body = _body(chance, samples[name], int(received_at))
        verdict, status = _judged(chance)
        headers = (
            ("Host", "tidy-mole-12.ngrok-free.app"),
            ("User-Agent", "TikTok-Webhook/1.0"),
            ("Content-Type", "application/json"),
            ("Tiktok-Signature", f"t={received_at:.0f},s={chance.randbytes(32).hex()}"),
            ("X-Forwarded-For", "203.0.113.7"),
        )
        yield Delivery(
            received_at=received_at,
            remote_addr="203.0.113.7",
            path="/webhook",
            headers=headers,
            body=body,
            verdict=verdict,
            status=status,
        )


def _body(chance: random.Random, sample: dict[str, object], created: int) -> bytes:
    content = json.loads(str(sample["content"]))
    if "publish_id" in content:
        content["publish_id"] = f"v_pub_file~v2-1.{chance.randrange(10**19):019d}"
    envelope = {
        **sample,
        "create_time": created,
        "user_openid": f"-000ExampleOpenId{chance.randrange(USERS):018d}",
        "content": json.dumps(content, separators=(",", ":")),
    }
    return json.dumps(envelope, separators=(",", ":")).encode()


def _judged(chance: random.Random) -> tuple[Verdict, int]:
    """A verdict and what TikTok was answered: nearly always the good ones."""
    drawn = chance.random()
    if drawn < 0.01:
        return Verdict(State.INVALID, reason="the signature does not match"), 403
    if drawn < 0.03:
        return Verdict(State.STALE, reason="signed 20 min ago", age_seconds=1200.0, secret=1), 200
    valid = Verdict(State.VALID, age_seconds=1.0, secret=1)
    return valid, 500 if drawn < 0.04 else 200


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1]), int(sys.argv[2])))
