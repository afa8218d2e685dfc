"""The table of tools: their names, descriptions, types and annotations."""

from dataclasses import dataclass

from mcp.types import Tool, ToolAnnotations

from tiktok_hook.mcp import inputs, shapes
from tiktok_hook.mcp.schemas import tool_schema


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolInfo:
    """One tool.

    Attributes:
        name: As clients call it; the handler has the same name.
        title: For people.
        description: For the agent.
        input: Dataclass of its input.
        output: TypedDict of its result.
        reads_only: Whether it changes nothing and sends nothing to an app.
        open_world: Whether it reaches beyond this machine's history.
        idempotent: Whether a second call changes nothing more.
    """

    name: str
    title: str
    description: str
    input: type
    output: type
    reads_only: bool = True
    open_world: bool = False
    idempotent: bool = False


TOOLS = (
    ToolInfo(
        name="status",
        title="Status",
        description="Running listeners with their Callback URLs, numbers of stored deliveries, "
        "and what the user allows. Call it first.",
        input=inputs.NoInput,
        output=shapes.ToolStatusShape,
    ),
    ToolInfo(
        name="list_deliveries",
        title="List deliveries",
        description="Stored webhook deliveries, newest first, each with its last attempt at "
        "forwarding. Rejected deliveries are left out unless they are asked for.",
        input=inputs.ListDeliveries,
        output=shapes.ToolPageShape,
    ),
    ToolInfo(
        name="get_delivery",
        title="Get a delivery",
        description="One delivery with headers, body, decoded event, signature verdict and what "
        "the values mean.",
        input=inputs.OneDelivery,
        output=shapes.ToolWholeShape,
    ),
    ToolInfo(
        name="list_attempts",
        title="List attempts",
        description="What was sent to the app for one delivery, what the app answered, and a hint "
        "on the cause of a failure.",
        input=inputs.OneDelivery,
        output=shapes.ToolAttemptsShape,
    ),
    ToolInfo(
        name="diagnose_signature",
        title="Diagnose a signature",
        description="Check the signature of a stored delivery, or of a header and a body, with the "
        "client secret of the server; names the mistake and its fix.",
        input=inputs.DiagnoseSignature,
        output=shapes.ToolDiagnosisShape,
    ),
    ToolInfo(
        name="wait_for_delivery",
        title="Wait for a delivery",
        description="Wait up to 50 s for the next matching delivery. Take a cursor from status or "
        "trigger_event before something is sent, so that nothing is missed; when nothing was "
        "found, call again with the returned cursor.",
        input=inputs.WaitForDelivery,
        output=shapes.ToolWaitShape,
    ),
    ToolInfo(
        name="list_events",
        title="List event types",
        description="TikTok's webhook events with the fields of their content, the meaning of "
        "known values, and sample bodies.",
        input=inputs.ListEvents,
        output=shapes.ToolEventsShape,
    ),
    ToolInfo(
        name="trigger_event",
        title="Send a sample event",
        description="Send a signed sample event, as TikTok would, to the running listener or to a "
        "target. Asks the user. A dry run sends nothing.",
        input=inputs.TriggerEvent,
        output=shapes.ToolSentShape,
        reads_only=False,
        open_world=True,
    ),
    ToolInfo(
        name="replay_delivery",
        title="Send a delivery again",
        description="Send a stored delivery to the app again, edited and re-signed as asked, and "
        "record the attempt. Asks the user. A dry run shows the request and sends nothing.",
        input=inputs.ReplayDelivery,
        output=shapes.ToolReplayedShape,
        reads_only=False,
        open_world=True,
    ),
    ToolInfo(
        name="audit_handler",
        title="Audit a webhook handler",
        description="Send about fifty valid, forged, altered, stale, repeated and odd deliveries "
        "to a webhook handler and judge its answers; names the mistakes of the handler. Use it to "
        "prove that a handler is correct. Asks the user.",
        input=inputs.AuditHandler,
        output=shapes.ToolAuditShape,
        reads_only=False,
        open_world=True,
    ),
    ToolInfo(
        name="export_as_pytest",
        title="Export deliveries as tests",
        description="The text of a pytest module that sends stored deliveries to the app with new "
        "signatures.",
        input=inputs.ExportAsPytest,
        output=shapes.ToolExportShape,
    ),
    ToolInfo(
        name="doctor",
        title="Check this machine",
        description="Check authtoken, client secret, clock, ports, tunnel and disk, with the next "
        "step for what is missing. It connects to ngrok.",
        input=inputs.Doctor,
        output=shapes.ToolDoctorShape,
        open_world=True,
    ),
    ToolInfo(
        name="start_listener",
        title="Start a listener",
        description="Start a webhook listener and its ngrok tunnel with the authtoken that the "
        "user has configured; returns the public Callback URL. Asks the user. It ends with this "
        "server.",
        input=inputs.StartListener,
        output=shapes.ToolListenerShape,
        reads_only=False,
        open_world=True,
    ),
    ToolInfo(
        name="stop_listener",
        title="Stop the listener",
        description="Stop the listener that start_listener started; never another one. Asks the "
        "user.",
        input=inputs.NoInput,
        output=shapes.ToolStoppedShape,
        reads_only=False,
        idempotent=True,
    ),
)

BY_NAME = {each.name: each for each in TOOLS}


def described(tool: ToolInfo) -> Tool:
    """A tool as the protocol describes it."""
    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool_schema(tool.input),
        output_schema=tool_schema(tool.output),
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.reads_only,
            destructive_hint=not tool.reads_only,
            idempotent_hint=tool.reads_only or tool.idempotent,
            open_world_hint=tool.open_world,
        ),
    )
