"""``tiktok-hook types``: what is known of TikTok's events, for validators and code generators."""

import json

import click

from tiktok_hook.cli import options
from tiktok_hook.errors import UsageError


@click.command(
    cls=options.Command, example="tiktok-hook types --format typescript > tiktok-webhooks.ts"
)
@click.argument("names", nargs=-1, metavar="[EVENT]...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonschema", "asyncapi", "typescript"]),
    default="jsonschema",
    show_default=True,
    help="JSON Schema 2020-12, AsyncAPI 3, or a TypeScript module.",
)
def command(names: tuple[str, ...], form: str) -> None:
    """Print the types of TikTok's events.

    Without EVENT, all events that are known; a glob stands for several. Each event, field and value
    carries a mark (documented, seen or inferred) and its source.
    """
    from importlib.metadata import version

    from tiktok_hook.events import asyncapi, json_schema, matching, nearest, typescript

    kinds = []
    for name in names or ("*",):
        found = matching(name)
        if not found:
            near = nearest(name.strip("*?."))
            raise UsageError(
                f"There is no event {name!r} in the catalogue.",
                hint=f"Did you mean {' or '.join(near)}?"
                if near
                else "tiktok-hook trigger lists them.",
            )
        kinds += [kind for kind in found if kind not in kinds]
    match form:
        case "typescript":
            click.echo(typescript.module(kinds), nl=False)
        case "asyncapi":
            document = asyncapi.document(kinds, version=version("tiktok-hook"))
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        case _:
            click.echo(json.dumps(json_schema.document(kinds), indent=2, ensure_ascii=False))
