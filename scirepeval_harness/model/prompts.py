"""Prompts as data: what stands around a text for a use of it, as templates.

A template is text with the fields ``{text}`` (all parts, joined as the model joins them),
``{title}`` (the first part) and ``{abstract}`` (the other parts, joined by a space); ``{{`` and
``}}`` are braces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from string import Formatter
from typing import Literal, get_args

from scirepeval_harness.errors import UsageError
from scirepeval_harness.roles import Format, Role

FIELDS = ("text", "title", "abstract")
Use = Literal["classification", "regression", "proximity", "query", "candidate", "document"]
"""What a prompt is for: a role, the ``candidate`` documents of ad-hoc search, or every ``document``
that has no prompt of its own."""
Prompts = Mapping[Use, str]


def check_template(template: str) -> str:
    """The template itself.

    Raises:
        ValueError: a field that does not exist, or none that stands for the text.
    """
    fields = [field for _, field in _pieces(template) if field is not None]
    for field in fields:
        if field not in FIELDS:
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise ValueError(f"unknown field {{{field}}} in {template!r}; fields are {known}")
    if not fields:
        raise ValueError(f"no {{text}} in {template!r}: write {{text}} where the text goes")
    return template


def fill(template: str, parts: Sequence[str], joined: str) -> str:
    """The template with a document's parts.

    Args:
        joined: the parts as the model joins them, for ``{text}``.
    """
    values = {"text": joined, "title": parts[0] if parts else "", "abstract": " ".join(parts[1:])}
    return "".join(words + (values[field] if field else "") for words, field in _pieces(template))


def prompted(prompts: Prompts, role: Role, parts: Sequence[str], joined: str) -> str:
    """The text in the prompt of a role, or as it is where the role has none."""
    template = template_for(prompts, role)
    return joined if template is None else fill(template, parts, joined)


def with_prefix(prefix: str) -> str:
    """The template of a prompt that stands in front of the text."""
    return prefix.replace("{", "{{").replace("}", "}}") + "{text}"


def prefix_of(template: str) -> str:
    """The words in front of the text, where they are all that the template adds; else empty."""
    pieces = _pieces(template)
    return pieces[0][0] if len(pieces) == 1 and pieces[0][1] == "text" else ""


def template_for(prompts: Prompts, role: Role) -> str | None:
    """The template for a role; that of every document stands in for roles of documents."""
    default = None if role is Role.QUERY else prompts.get("document")
    return prompts.get(role.value, default)


def in_task(prompts: Prompts, format: Format) -> dict[Use, str]:
    """The prompts by role in a task of this format: candidates are only in ad-hoc search."""
    chosen = dict(prompts)
    candidate = chosen.pop("candidate", None)
    if candidate is not None and format is Format.ADHOC_SEARCH:
        chosen[format.document_role().value] = candidate
    return chosen


def prompt_words(prompts: Prompts | Sequence[str]) -> tuple[str, ...]:
    """Prompts as the command line and records have them."""
    if isinstance(prompts, Mapping):
        return tuple(f"{use}={template}" for use, template in prompts.items())
    return tuple(prompts)


def parse_prompts(given: Prompts | Sequence[str]) -> dict[Use, str]:
    """Prompts by use, or as the command line has them, ``USE=TEMPLATE`` each.

    Raises:
        UsageError: another form, an unknown use, one given twice, or a malformed template.
    """
    prompts: dict[Use, str] = {}
    for text in prompt_words(given):
        name, separator, template = text.partition("=")
        use = next((use for use in get_args(Use) if use == name.strip()), None)
        where = f"--prompt {text}"
        if use is None or not separator or use in prompts:
            what = "given twice" if use in prompts else "not a use with its template"
            fix = f'Write USE="words {{text}}", USE one of {", ".join(get_args(Use))}'
            raise UsageError(what, where=where, fix=fix)
        try:
            prompts[use] = check_template(template)
        except ValueError as error:
            raise UsageError(str(error), where=where) from error
    return prompts


@lru_cache(maxsize=64)
def _pieces(template: str) -> tuple[tuple[str, str | None], ...]:
    """Words, each with the field that follows; None where none does."""
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{error} in {template!r}; a brace itself is written twice") from error
    merged: list[tuple[str, str | None]] = []
    words = ""
    for text, field, form, conversion in parsed:
        words += text
        if field is not None:
            # A form such as {text:>9} is no field of ours.
            merged.append((words, field + (f"!{conversion}" if conversion else "") + (form or "")))
            words = ""
    return (*merged, *([(words, None)] if words else []))
