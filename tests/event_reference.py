"""The page of everything that is known of TikTok's webhooks, made from the catalogue.

``python -m tests.reference`` writes it into docs/events.md; a test fails when that is out of date.
"""

from collections.abc import Iterable
from pathlib import Path

from tiktok_hook.events import CATALOGUE, EventType, Fact, Field, Value
from tiktok_hook.events.facts import ENVELOPE, FACTS, HEADERS, MARKS

PAGE = Path(__file__).parent.parent / "docs" / "events.md"

_HEAD = """\
# TikTok's events

This page helps to write a handler against everything that is known of TikTok's webhooks: each
event, key, value and surprise, how sure it is, and where it was read.

It is made from the catalogue of the program. The same facts for validators and code generators:

```console
$ tiktok-hook types > tiktok-webhooks.schema.json
$ tiktok-hook types 'post.publish.*' --format asyncapi
$ tiktok-hook types --format typescript > tiktok-webhooks.ts
```

`tiktok-hook show ID` lists where a stored delivery differs from this page. If a real one does,
TikTok has changed something, or the page is wrong.
"""


def text() -> str:
    """The whole page, as Markdown."""
    products: dict[str, list[EventType]] = {}
    for kind in CATALOGUE.values():
        products.setdefault(kind.product, []).append(kind)
    parts = [_HEAD, "| Mark | Meaning |\n| --- | --- |"]
    parts += [f"| {mark} | {words} |" for mark, words in MARKS.items()]
    for subject, facts in FACTS.items():
        parts += [f"\n## {subject}\n", *_facts(facts)]
        if subject == "Envelope":
            parts += ["", *_table("Key", ENVELOPE, "documented")]
        elif subject == "Delivery":
            parts += ["", *_table("Header", HEADERS, "documented")]
    for product, kinds in products.items():
        parts.append(f"\n## {product}")
        for kind in kinds:
            parts += ["", *_event(kind)]
    return "\n".join(parts) + "\n"


def _event(kind: EventType) -> Iterable[str]:
    yield f"### `{kind.name}`\n"
    meaning = f"{kind.meaning[:1].upper()}{kind.meaning[1:]}"
    yield f"{meaning}. Name {_mark(kind.mark, kind.url)}, content {kind.content_mark}.\n"
    if kind.quirks:
        yield from _facts(kind.quirks)
        yield ""
    yield from _table("Key of `content`", kind.fields, kind.content_mark)
    values = [(field, text, value) for field in kind.fields for text, value in field.values.items()]
    if values:
        yield "\n| Key | Value | Meaning | Mark |\n| --- | --- | --- | --- |"
        yield from (_value_row(*each) for each in values)


def _facts(facts: Iterable[Fact]) -> Iterable[str]:
    yield from (f"- {fact.text} ({_mark(fact.mark, fact.source)})" for fact in facts)


def _table(head: str, fields: Iterable[Field], mark: str) -> Iterable[str]:
    yield f"| {head} | Type | Meaning | Mark |\n| --- | --- | --- | --- |"
    for field in fields:
        kind = " or ".join([field.type, *field.also]) + (
            ", may be missing" if field.optional else ""
        )
        yield (
            f"| `{field.name}` | {kind} | {_cell(field.meaning)} "
            f"| {_mark(field.mark or mark, field.source)} |"
        )


def _value_row(field: Field, text: str, value: Value) -> str:
    shown = f"`{text}`…" if text.endswith("~") else f"`{text}`"
    mark = _mark(value.mark, value.source)
    return f"| `{field.name}` | {shown} | {_cell(value.meaning)} | {mark} |"


def _mark(mark: str, source: str) -> str:
    return f"[{mark}]({source})" if source else mark


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("<", "&lt;")
