"""The history for programs: what was received is read, sent again, taken out and in."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tiktok_hook import archive, edits
from tiktok_hook.archive import Format
from tiktok_hook.background import run
from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.errors import NoHistoryError, UsageError
from tiktok_hook.exact_json import Json
from tiktok_hook.forward import Forwarder, parse_header, parse_target
from tiktok_hook.moments import Moment, seconds
from tiktok_hook.replayer import (
    Mode,
    NoSecretError,
    NoTargetError,
    Replayer,
    ReplayOptions,
    Signing,
    running_targets,
)
from tiktok_hook.signature import checked_secrets
from tiktok_hook.store import (
    EVERYTHING,
    Counts,
    Filter,
    Location,
    Store,
    as_filter,
    locate,
    open_history,
    open_store,
)
from tiktok_hook.store.change_feed import Arrival, follow


class History:
    """What was received and tried, whether or not a listener is running.

    ``with tiktok_hook.History() as history:`` Iterate over it for every delivery, oldest first.

    Args:
        path: The file, or its URL (``sqlite:///PATH``); None is the one in the user's data folder.
        create: Make an empty one if there is none.

    Raises:
        UsageError: The path is a URL that is not supported.
        NoHistoryError: There is none; a `StoreError`.
        StoreError: It cannot be read; so do all its methods.
    """

    def __init__(self, path: Location | Path | str | None = None, *, create: bool = False) -> None:
        self._location = locate(path, where="path")
        try:
            self._reading = open_history(self._location)
        except NoHistoryError:
            if not create:
                raise
            self._open_store().close()
            self._reading = open_history(self._location)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Delivery]:
        return self.find()

    def close(self) -> None:
        """Close the file; a ``with`` block does it at its end."""
        self._reading.close()

    def __reversed__(self) -> Iterator[Delivery]:
        return self.find(newest_first=True)

    def __len__(self) -> int:
        return self._reading.count()

    def __getitem__(self, delivery_id: int) -> Delivery:
        """``history[12]``: the delivery with this id; KeyError when there is none."""
        found = self.get(delivery_id)
        if found is None:
            raise KeyError(delivery_id)
        return found

    def __contains__(self, delivery: object) -> bool:
        number = delivery.id if isinstance(delivery, Delivery) else delivery
        return isinstance(number, int) and self.get(number) is not None

    def __bool__(self) -> bool:
        return True  # an open history, however many it holds

    def __repr__(self) -> str:
        return f"<tiktok_hook.History {self._reading.label!r}>"

    def find(
        self,
        where: Filter | str = EVERYTHING,
        *,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> Iterator[Delivery]:
        """Every matching delivery; they are read as they are asked for.

        Args:
            where: A filter such as ``"post.publish.* user:OPEN_ID"``, or a `Filter`.
            limit: Maximum number of deliveries; None sets no limit.
            newest_first: The newest first, otherwise the oldest.

        Raises:
            UsageError: The filter cannot be read.
        """
        fitting = as_filter(where)
        given: object = limit
        if given is not None and (not isinstance(given, int) or isinstance(given, bool)):
            raise UsageError(f"limit={given!r} is not a whole number or None.")
        if limit is not None and limit < 0:
            raise UsageError(f"limit={limit} is negative.", hint="limit=None sets no limit.")
        found = self._newest_first(fitting) if newest_first else self._reading.walk(fitting)
        return found if limit is None else islice(found, min(limit, sys.maxsize))

    def _newest_first(self, where: Filter) -> Iterator[Delivery]:
        before = None
        while page := self._reading.page(where, before=before, limit=200):
            yield from page
            before = page[-1].id

    def get(self, delivery_id: int) -> Delivery | None:
        """One delivery; None when there is none of this id.

        Raises:
            UsageError: It is not an id.
        """
        return self._reading.get(_id_of(delivery_id))

    def last(self, where: Filter | str = EVERYTHING) -> Delivery | None:
        """The newest matching delivery; None without a match."""
        return next(iter(self._reading.page(as_filter(where), limit=1)), None)

    def follow(
        self, where: Filter | str = EVERYTHING, *, timeout: float | timedelta | None = None
    ) -> Iterator[Delivery]:
        """Every matching delivery that arrives from now on, whichever process receives it.

        Each comes once, at its answer or after 30 s without one.

        Args:
            where: A filter such as ``"post.publish.*"``, or a `Filter`.
            timeout: Seconds, or a `timedelta`, after which the iteration ends; None never ends it.
        """
        limit = None if timeout is None else seconds(timeout)
        after = self._reading.newest_id()
        arrivals = follow(self._reading, as_filter(where), after, seconds=limit)
        return (each.delivery for each in arrivals if isinstance(each, Arrival))

    def pending(self) -> Iterator[Delivery]:
        """What ``--ack first`` or ``hold`` left waiting for the app, in the order of its coming."""
        return self._reading.pending()

    def attempts(self, delivery: Delivery | int) -> list[Attempt]:
        """What was tried with a delivery, in order, replays included."""
        return self._reading.attempts(_id_of(delivery))

    def counts(self, where: Filter | str = EVERYTHING) -> Counts:
        """How many matching deliveries there are, by verdict and outcome."""
        return self._reading.counts(as_filter(where))

    def replay(
        self,
        delivery: Delivery | int,
        *,
        to: str | int | None = None,
        secret: str | Sequence[str] = (),
        changes: Mapping[str, Json] | None = None,
        unset: Sequence[str] = (),
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
        path: str | None = None,
        age: float | timedelta = 0.0,
        bad_signature: bool = False,
        no_signature: bool = False,
        as_is: bool = False,
        timeout: float | timedelta = 10.0,
        insecure: bool = False,
        dequeue: bool = False,
        with_id: bool = False,
    ) -> Attempt:
        """Send a delivery to an app again, signed again, and record the attempt.

        It waits for the answer. Where the app runs on the event loop that calls this, use
        ``await asyncio.to_thread(history.replay, …)``.

        Args:
            delivery: The delivery or its id.
            to: ``3000``, ``host:port`` or a URL, to which the delivery's path is joined; None
                sends it to what it waits for, then where it went first, then to the target
                of the running listener.
            secret: The client secret, or several: the one it was signed with signs again, or
                the first one.
            changes: Values by their path, ``{"content.reason": "spam_risk"}``; one that the event
                lacks is added with a plus at the path's end.
            unset: Paths to take out of the body.
            body: Sent instead of the delivery's own, before `changes`.
            headers: Set on the request.
            method: Instead of the delivery's own.
            path: Path and query instead of the delivery's own.
            age: Seconds, or a `timedelta`, since it was signed; negative is in the future.
            bad_signature: Get one digit of the signature wrong.
            no_signature: Leave it out.
            as_is: Send the stored signature.
            timeout: Seconds, or a `timedelta`, that the app may take.
            insecure: Do not check the certificate of an https address.
            dequeue: Take it out of the queue once the app has answered: for what is `pending`.
            with_id: Add the header Tiktok-Hook-Replay-Of with the delivery's id.

        Returns:
            The attempt; what the app answers, or that it does not, is never an exception.

        Raises:
            UsageError: There is no such delivery, address, path or secret, or another process is
                forwarding what is to be dequeued.
            StoreError: It cannot be recorded.
        """
        found = self._found(delivery)
        waits_for = [queue.target for queue in self._reading.queues_of(found.id)]
        options = ReplayOptions(
            to=None if to is None else parse_target(to),
            signing=_signing(
                seconds(age),
                bad=bad_signature,
                none=no_signature,
                as_is=as_is,
            ),
            sets=edits.assignments(_mapping("changes", changes)),
            unsets=unset,
            body=body,
            headers=[
                parse_header(f"{name}: {value}")
                for name, value in _mapping("headers", headers).items()
            ],
            method=method,
            path=path,
            with_id=with_id,
        )
        leaves = () if not dequeue else waits_for if to is not None else waits_for[:1]
        try:
            return run(
                self._replay(
                    found, options, _several(secret), seconds(timeout), leaves, insecure=insecure
                )
            )
        except NoTargetError as error:
            raise NoTargetError(str(error), hint="Name your app: to=3000") from error
        except NoSecretError as error:
            hint = "Give it as secret=, or send the stored signature with as_is=True."
            raise NoSecretError(str(error), hint=hint) from error

    def export(
        self, form: Format = "jsonl", where: Filter | str = EVERYTHING, *, redact: bool = False
    ) -> Iterator[bytes]:
        """The pieces of a file that holds deliveries: ``file.writelines(history.export("har"))``.

        Args:
            form: ``jsonl`` and ``har`` can be imported again, ``curl`` and ``pytest`` sign and send
                when they run.
            where: Which deliveries.
            redact: Put pseudonyms for user ids, client keys, signatures and addresses.
        """
        fitting = as_filter(where)

        def again() -> Iterator[archive.Entry]:
            return archive.entries(self._reading, fitting)

        return archive.write(archive.redacted(again) if redact else again(), form)

    def import_from(
        self,
        file: Path | str,
        *,
        secret: str | Sequence[str] = (),
        urls: Sequence[str] = (),
        signed_only: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> archive.ImportResult:
        """Add what an export or another program's recording contains, or nothing.

        Args:
            file: Its path: JSON Lines of tiktok-hook, HAR, or the JSON of ngrok's agent API or
                webhook.site, also in gzip or zip.
            secret: Client secrets that signatures are checked with; without one, deliveries are
                unchecked. Verdicts in the file are not adopted.
            urls: Globs of the URLs to import; empty imports all.
            signed_only: Leave out requests without a Tiktok-Signature header.
            headers: Headers of a request whose body is the whole file.

        Returns:
            How many were added, and their ids; what the history already has is not added.

        Raises:
            UsageError: It cannot be read or is none of these; the message has place and reason.
        """
        options = archive.ImportOptions(
            urls=urls,
            signed_only=signed_only,
            secrets=_several(secret),
            headers=None
            if headers is None
            else [parse_header(f"{name}: {value}") for name, value in headers.items()],
        )

        async def store(capture: archive.Capture) -> archive.ImportResult:
            with self._open_store() as opened:
                return await archive.import_into(opened, capture)

        with archive.opened(str(file)) as source:
            capture = archive.load(
                source.stream,
                source.name,
                options,
                sibling=source.sibling,
                file_time=source.modified_at,
            )
            return run(store(capture))

    def clear(self, where: Filter | str | None = None, *, before: Moment | None = None) -> int:
        """Delete deliveries and their attempts for good; their ids are not given again.

        Args:
            where: Which: a filter such as ``"post.publish.*"``, or ``Filter(ids=12)``; None is all.
            before: Of those only what was received before this: Unix seconds, a `datetime`, a
                `timedelta` (that long ago) or text such as ``2d``; None is no limit.

        Returns:
            How many.

        Raises:
            UsageError: The filter or the time cannot be read, or the filter has no condition.
        """
        fitting = EVERYTHING if where is None else as_filter(where)
        if where is not None and fitting == EVERYTHING:  # as from ids=[], which meant none
            raise UsageError(
                "The filter has no condition, so nothing was deleted.",
                hint="clear() without a filter deletes everything.",
            )
        limits = [each.until for each in (fitting, Filter(until=before)) if each.until is not None]
        fitting = replace(fitting, until=min(limits, default=None))

        async def clear() -> int:
            with self._open_store() as store:
                return await store.clear(fitting)

        return run(clear())

    def _open_store(self) -> Store:
        # What has to go for lack of room is left to who receives.
        return open_store(self._location, prune=False)

    def _found(self, delivery: Delivery | int) -> Delivery:
        number = _id_of(delivery)
        found = self.get(number)
        if found is None:
            raise UsageError(f"There is no delivery {number} in {self._reading.label}.")
        return found

    async def _replay(
        self,
        delivery: Delivery,
        options: ReplayOptions,
        secrets: Sequence[str],
        timeout: float,
        leaves: Sequence[str],
        *,
        insecure: bool,
    ) -> Attempt:
        async with AsyncExitStack() as stack:
            store = stack.enter_context(self._open_store())
            for target in leaves:
                lock = await stack.enter_async_context(store.queue_lock(target))
                if not await lock.acquire():
                    raise UsageError(
                        f"The queue of {target} is being forwarded by another process.",
                        hint="A listener with --ack first does so by itself.",
                    )
            forwarder = await stack.enter_async_context(Forwarder(insecure=insecure))
            replayer = Replayer(store, forwarder, secrets, lambda: running_targets(self._location))
            prepared = await replayer.prepare(delivery, options)
            attempt = await replayer.send(prepared, dequeue=leaves, timeout=timeout)
            await store.flush()  # before the locks are released
            return attempt


def _id_of(delivery: object) -> int:
    """The id of a delivery that is given by itself or by its id.

    Raises:
        UsageError: It is neither.
    """
    number = delivery.id if isinstance(delivery, Delivery) else delivery
    if not isinstance(number, int) or isinstance(number, bool):
        raise UsageError(f"{number!r} is not a delivery id.", hint="Ids are whole numbers: 12.")
    return number


def _mapping(name: str, given: Any) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UsageError(
            f"{name} is not a mapping but {type(given).__name__}.",
            hint=f'For instance {name}={{"NAME": "VALUE"}}.',
        )
    return given


def _several(secret: str | Sequence[str]) -> Sequence[str]:
    return checked_secrets(secret)


def _signing(age: float, *, bad: bool, none: bool, as_is: bool) -> Signing:
    asked = {Mode.AGED: age != 0, Mode.BAD: bad, Mode.NONE: none, Mode.AS_IS: as_is}
    wanted = [mode for mode, is_asked in asked.items() if is_asked]
    if len(wanted) > 1:
        raise UsageError("age, bad_signature, no_signature and as_is exclude each other.")
    return Signing(wanted[0] if wanted else Mode.FRESH, age)
