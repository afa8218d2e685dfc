"""The tools that send requests: samples, replays and audits; and the check of this machine."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from tiktok_hook import audit, doctor, trigger
from tiktok_hook.audit.case import CLIENT_KEY
from tiktok_hook.errors import UsageError
from tiktok_hook.forward import Forwarder, explain, parse_header
from tiktok_hook.mcp import inputs, output, shapes
from tiktok_hook.mcp.call import ToolCall
from tiktok_hook.mcp.options import McpOptions
from tiktok_hook.mcp.output import Output
from tiktok_hook.mcp.reading import ReadingTools
from tiktok_hook.replayer import Mode, Replayer, ReplayOptions, Signing, running_targets
from tiktok_hook.signature import State
from tiktok_hook.store import open_store

MAX_CASES = 60
SHOWN_BODY_CHARS = output.INLINE_BODY_CHARS


class SendingTools:
    """Handlers of the tools that send requests.

    Args:
        options: Of the server.
        made: Makes the results.
        reading: The history.
    """

    def __init__(self, options: McpOptions, made: Output, reading: ReadingTools) -> None:
        self._options = options
        self._made = made
        self._reading = reading

    async def trigger_event(self, asked: inputs.TriggerEvent, call: ToolCall) -> shapes.Shape:
        """Send a signed sample event, and report what was answered."""
        body = trigger.body_of(asked.event, sets=asked.set)
        known = self._options.secrets
        secret = known[0] if known and asked.signing != "none" else None
        to = trigger.listener_url() if asked.to is None else asked.to
        listener = None
        if not known and asked.signing != "none" and asked.to is None:
            listener = trigger.signing_listener()
        signed = secret is not None or listener is not None
        if not signed and asked.signing in {"age", "bad"}:
            raise UsageError(
                f"Signing {asked.signing!r} needs a client secret, and neither the server nor a "
                "listener that is sent to has one.",
                hint="The user can set TIKTOK_CLIENT_SECRET for it.",
            )
        target = call.permissions.checked_target(to)
        cursor = await asyncio.to_thread(self._reading.newest_id)
        result: shapes.Shape = {
            "sent": False,
            "target": target,
            "signed": signed,
            "status": None,
            "error": None,
            "duration_ms": None,
            "hint": "",
            "body": body.decode("utf-8", "replace")[:SHOWN_BODY_CHARS],
            "cursor": cursor,
        }
        if asked.dry_run:
            return result
        how = {"fresh": "", "age": ", with an old signature", "bad": ", with a wrong signature"}
        await call.require(
            "send",
            f"Send a sample of {asked.event} to {target}"
            f"{how[asked.signing] if signed else ', unsigned'}?",
        )
        age = asked.age_seconds if asked.signing == "age" else 0.0
        wrong = asked.signing == "bad"
        if listener is not None:
            async with Forwarder() as forwarder:
                reply = await listener.send(forwarder, body, age=age, bad_signature=wrong)
        else:
            reply = await trigger.send(
                trigger.request(target, body, secret=secret, age=age, bad_signature=wrong)
            )
        verdict = None
        if asked.to is not None:  # a listener without a secret accepts what an app must not
            verdict = _verdict(signed=signed, asked=asked)
        return result | {
            "sent": True,
            "status": reply.status,
            "error": reply.error,
            "duration_ms": round(reply.duration_ms, 3),
            "hint": explain(reply, target=target, verdict=verdict),
        }

    async def replay_delivery(self, asked: inputs.ReplayDelivery, call: ToolCall) -> shapes.Shape:
        """Send a stored delivery again, edited and signed as asked."""
        delivery = await asyncio.to_thread(self._reading.found, asked.id)
        default = Mode.FRESH if self._options.secrets else Mode.AS_IS
        mode = default if asked.signing is None else Mode(asked.signing)
        options = ReplayOptions(
            to=asked.to or None,
            signing=Signing(mode, asked.age_seconds if mode is Mode.AGED else 0.0),
            sets=asked.set,
            unsets=asked.unset,
            body=None if asked.body is None else asked.body.encode("utf-8", "surrogatepass"),
            headers=[parse_header(text) for text in asked.headers],
            method=asked.method,
            path=asked.path,
        )
        path = self._options.history
        # Replaying never prunes: what has to go for lack of room is decided by who receives.
        with open_store(path, prune=False) as store:
            async with Forwarder() as forwarder:
                replayer = Replayer(
                    store, forwarder, self._options.secrets, lambda: running_targets(path)
                )
                prepared = await replayer.prepare(delivery, options)
                url = prepared.request.url
                call.permissions.checked_target(url)
                result: shapes.Shape = {"attempt": None, "request": None, "note": output.NOTE}
                if asked.dry_run:
                    request = prepared.request
                    text = request.body.decode("utf-8", "replace")
                    cut = len(text) > SHOWN_BODY_CHARS
                    reference = {"body_resource": output.body_uri(delivery.id)} if cut else {}
                    return result | {
                        "request": {
                            "method": request.method,
                            "url": url,
                            "headers": self._made.headers(request.headers),
                            **(reference if cut else {"body": text}),
                        }
                    }
                event = delivery.event
                name = "not a TikTok event" if event is None else repr(event.name[:60])
                how = f", {prepared.variant}" if prepared.variant else ""
                # A stranger may have written the name: it comes last, where it hides nothing.
                await call.require(
                    "send",
                    f"Send delivery {delivery.id} again with {prepared.request.method} to "
                    f"{url}{how}? Its event: {name}.",
                )
                attempt = await replayer.send(prepared)
        return result | {"attempt": self._made.attempt(attempt)}

    async def audit_handler(self, asked: inputs.AuditHandler, call: ToolCall) -> shapes.Shape:
        """Send valid, forged, stale and odd deliveries to a handler, and judge its answers."""
        if not self._options.secrets:
            raise UsageError(
                "The server has no client secret to sign with.",
                hint="The user can set TIKTOK_CLIENT_SECRET for it: that of the handler.",
            )
        if (longest := max(map(len, asked.only), default=0)) > inputs.MAX_GLOB_CHARS:
            raise UsageError(
                f"A glob for cases has {longest:,} characters; at most "
                f"{inputs.MAX_GLOB_CHARS:,} are read."
            )
        cases = audit.select(list(asked.only))
        target = call.permissions.checked_target(asked.url)
        await call.require(
            "send",
            f"Send {len(cases)} audit cases, many of them validly signed, to {target}? "
            "The app should use a test database.",
        )
        done = 0

        async def report_progress() -> None:
            seen = -1
            while True:
                if done != seen:
                    seen = done
                    await call.progress(done, len(cases), "running the cases")
                await asyncio.sleep(0.2)

        def count(_: audit.Result) -> None:
            nonlocal done
            done += 1

        async with asyncio.TaskGroup() as group:
            reporting = group.create_task(report_progress())
            try:
                report = await audit.play(
                    target,
                    secret=self._options.secrets[0],
                    client_key=asked.client_key or CLIENT_KEY,
                    cases=cases,
                    tolerance=asked.tolerance,
                    on_result=count,
                )
            finally:
                reporting.cancel()
        found: Mapping[str, object] = report.as_json()
        every = found["cases"]
        assert isinstance(every, list)
        kept = [each for each in every if asked.all_cases or each["outcome"] != "pass"]
        return {**found, "cases": kept[:MAX_CASES], "note": output.NOTE}

    async def doctor(self, asked: inputs.Doctor, call: ToolCall) -> shapes.Shape:
        """Check everything that `listen` needs."""
        for each in asked.forward_to:
            call.permissions.checked_target(each)
        settings = await asyncio.to_thread(self._options.examined)
        subject = replace(
            settings,
            db=self._options.history,
            secrets=self._options.secrets,
            targets=asked.forward_to
            or tuple(each for each in settings.targets if call.permissions.allows(each)),
        )
        report = await doctor.examine(subject)
        return dict(report.as_json())


def _verdict(*, signed: bool, asked: inputs.TriggerEvent) -> State:
    """The state that a correct verifier reports for a sample."""
    if not signed:
        return State.MISSING
    if asked.signing == "bad":
        return State.INVALID
    late = asked.signing == "age" and abs(asked.age_seconds) > 300
    return State.STALE if late else State.VALID
