"""From a file to a validated record, with errors that name the file and the field."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from scirepeval_harness.errors import SpecError, UnknownNameError
from scirepeval_harness.files import open_regular

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


M = TypeVar("M", bound=BaseModel)
SHOWN_CHARACTERS = 80
POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def read_text(path: Path) -> str:
    """The file's text, without the byte order mark that some editors write.

    Raises:
        SpecError: it cannot be read, is no regular file, or is not UTF-8.
    """
    try:
        with open_regular(path) as file:
            return file.read().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SpecError(
            "not UTF-8 text", where=f"{path}:{line}", fix="Save the file as UTF-8"
        ) from error
    except OSError as error:
        raise SpecError(
            f"cannot be read ({error.strerror})",
            where=str(path),
            fix="Check the path and its permissions",
        ) from error


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        SpecError: it cannot be read, or is malformed; the line is named.
    """
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = POSITION.search(message)
        line = (found and found.group(1)) or str(len(text.splitlines()) or 1)
        raise SpecError(
            f"malformed TOML: {POSITION.sub('', message)}",
            where=f"{path}:{line}",
            fix="Quote strings, and write lists as [...] and tables as [name]",
        ) from error
    except (RecursionError, ValueError) as error:
        deep = isinstance(error, RecursionError)
        what = "nested too deeply" if deep else "a number of thousands of digits"
        raise SpecError(f"malformed TOML: {what}", where=str(path), fix="Repair it") from error


def validate(schema: type[M], raw: Mapping[str, object], where: str) -> M:
    """A record of ``schema`` from plain values; nothing is converted silently.

    Raises:
        SpecError: the first thing that is wrong, as ``file: field: what``, and how many more are.
    """
    try:
        # By way of JSON, where strict validation takes lists for tuples and names for enums.
        return schema.model_validate_json(json.dumps(raw, default=str), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False)
        field, problem, fix = _describe(schema, found[0])
        rest = f" (and {len(found) - 1} more problems)" if len(found) > 1 else ""
        raise SpecError(
            f"{field}: {problem}{rest}" if field else f"{problem}{rest}",
            where=where,
            fix=fix or ADVICE.get(found[0]["type"], "Give another value"),
        ) from error
    except RecursionError as error:
        raise SpecError("nested too deeply", where=where, fix="Repair it") from error


ADVICE = {
    "missing": "Add the key",
    "string_type": "Write text in quotes",
    "bool_type": "Write true or false",
    "int_type": "Write a whole number",
    "float_type": "Write a number",
    "finite_number": "Write a number that is finite",
    "tuple_type": "Write a list: [...]",
    "too_short": "List at least one",
    "value_error": "Correct the entry",
} | dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "Write a table: [name]")
"""What to do about each kind of pydantic's errors that says it in no word of its own."""


def read_spec(schema: type[M], path: Path) -> M:
    """A record of ``schema`` from a TOML file; raises as its two parts do."""
    return validate(schema, read_toml(path), str(path))


def _describe(schema: type[BaseModel], error: ErrorDetails) -> tuple[str, str, str | None]:
    """Field, problem and fix of one of pydantic's errors, in the words of a spec's author."""
    location, kind, value = error["loc"], error["type"], error.get("input")
    field = ".".join(str(part) for part in location if part != "[key]")
    context = error.get("ctx", {})
    fix: str | None
    match kind:
        case "missing":
            return field, "is required", None
        case "extra_forbidden":
            known = _keys_at(schema, location[:-1])
            guesses = near(str(location[-1]), known)
            fix = f"Did you mean {guesses[0]}?" if guesses else f"Keys are {', '.join(known)}"
            return field, "unknown key", fix
        case "greater_than_equal":
            return field, f"must be >= {context['ge']}, not {shown(value)}", None
        case "less_than_equal":
            return field, f"must be <= {context['le']}, not {shown(value)}", None
        case "string_pattern_mismatch":
            return field, f"{shown(value)} does not match {context['pattern']}", None
        case "enum" | "literal_error":
            allowed = re.findall(r"'([^']*)'", str(context["expected"]))
            guesses = near(str(value), allowed)
            fix = f"Did you mean {guesses[0]}?" if guesses else None
            return field, f"must be one of {', '.join(allowed)}, not {shown(value)}", fix
        case "value_error":
            return field, str(context["error"]), None
        case "json_invalid":  # of what Python reads: half a surrogate pair, too many levels
            return field, f"cannot be read: {context['error']}", "Repair it"
        case _:
            return field, f"{error['msg'][:1].lower()}{error['msg'][1:]}, not {shown(value)}", None


def shown(value: object) -> str:
    """A value as an error says it: whatever its length, one short line."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _keys_at(schema: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys that the schema has at a location; empty where it has no fixed ones."""
    current: type[BaseModel] | None = schema
    for part in location:
        if isinstance(part, str) and current is not None and part in current.model_fields:
            current = _model_in(current.model_fields[part].annotation)
    return list(current.model_fields) if current is not None else []


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The first schema inside an annotation such as ``dict[Role, Weights]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = _model_in(inner)
        if found is not None:
            return found
    return None


SHOWN = 30


def near(name: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Known names that resemble ``name``, best first, whatever their case."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    # Cut: comparing takes time by the square of the length, and no name is so long.
    wanted = name[: 2 * SHOWN_CHARACTERS].casefold()
    close = difflib.get_close_matches(wanted, by_folded, n=limit, cutoff=0.6)
    # A part of a name ("covid") is too unlike the whole for a ratio, yet plainly meant.
    parts = [other for other in by_folded if len(wanted) > 2 and wanted in other]
    found = dict.fromkeys([*close, *sorted(parts, key=len)])
    return tuple(by_folded[other] for other in list(found)[:limit])


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence for the error's ``fix``: the nearest names, else all that are known."""
    listed = list(known)
    guesses = near(name, listed)
    if guesses:
        return f"Did you mean {' or '.join(guesses)}?"
    if not listed:
        return "None are known"
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return f"Known are {', '.join(listed[:SHOWN])}{more}"


def unknown(
    kind: str, name: str, known: Iterable[str], where: str | None = None
) -> UnknownNameError:
    """The error for a name of a ``kind`` (task, suite, model, role) that no registry holds."""
    return UnknownNameError(
        f"unknown {kind} {shown(name)}", where=where, fix=did_you_mean(name, known)
    )
