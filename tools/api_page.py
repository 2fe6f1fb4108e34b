"""The page of the public names, made from their docstrings: ``python -m tools.api_page [--check]``.

What stands in ``__all__`` is public and nothing else. A page is a function of the source alone, so
``--check`` compares bytes.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Example", "Examples")
WIDTH = 88
"""Columns of a signature before it is broken, one parameter a line."""
HEAD = """# The public names of {module}

Made from the docstrings by `python -m tools.api_page`: change them, not this page.
"""


def page_of(module: ModuleType) -> str:
    """The whole page: a section for each name of ``__all__``, in its order.

    Raises:
        ValueError: a public name without a docstring.
    """
    parts = [HEAD.format(module=module.__name__)]
    for name in getattr(module, "__all__", ()):
        parts.extend(_entry(name, getattr(module, name)))
    return "\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with ``--check`` say whether it is up to date (0) or not (1)."""
    parser = argparse.ArgumentParser(prog="python -m tools.api_page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--module", default="scirepeval_harness")
    parser.add_argument("--page", type=Path, default=PAGE)
    chosen = parser.parse_args(arguments)
    text = page_of(importlib.import_module(chosen.module))
    if not chosen.check:
        chosen.page.write_text(text, encoding="utf-8")
        return 0
    if chosen.page.is_file() and chosen.page.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{chosen.page} is not up to date: run python -m tools.api_page\n")
    return 1


def _entry(name: str, value: object) -> Iterator[str]:
    if not (inspect.isclass(value) or callable(value)):
        # A value has its type's docstring, which says nothing of it.
        yield f"## `{name}`\n\nA value of type `{type(value).__name__}`.\n"
        return
    yield f"## `{name}`\n\n{_code(_signature(name, value))}\n{markdown(_text(name, value))}\n"
    if inspect.isclass(value):
        for member, found in _members(value):
            title = f"{name}.{member}"
            shown = f"### `{title}`\n\n"
            if not isinstance(found, property):
                shown += _code(_signature(member, found)) + "\n"
            yield f"{shown}{markdown(_text(title, found))}\n"


def _members(cls: type) -> Iterator[tuple[str, object]]:
    """Public methods and properties, a base's of the same package too, in the order of the source.

    What a library's base brings (pydantic's methods, say) is that library's to document.
    """
    package = cls.__module__.partition(".")[0]
    seen: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] != package:
            continue
        for name, value in vars(base).items():
            if isinstance(value, staticmethod | classmethod):
                value = value.__func__
            if name.startswith("_") or name in seen:
                continue
            if inspect.isfunction(value) or isinstance(value, property):
                seen.add(name)
                yield name, value


def _text(name: str, value: object) -> str:
    """The docstring of a name itself; an inherited or a made one says nothing of it."""
    text = inspect.cleandoc(getattr(value, "__doc__", None) or "")
    # A dataclass without a docstring is given its signature as one.
    if not text or text.startswith(f"{name}("):
        raise ValueError(f"{name} is public and has no docstring")
    return text


def _signature(name: str, value: object) -> str:
    """``name(...)`` as the source has it: annotations as written, defaults by their names."""
    if inspect.isclass(value) and getattr(value, "_is_protocol", False):
        return f"class {name}(Protocol)"
    try:
        signature = inspect.signature(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return name
    words = list(_parameters(signature))
    end = _annotation(signature.return_annotation, " -> ")
    # An instance is what a class returns, whatever its constructor is annotated with.
    end = "" if inspect.isclass(value) else end
    prefix = "class " if inspect.isclass(value) else ""
    line = f"{prefix}{name}({', '.join(words)}){end}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{prefix}{name}(", *(f"    {word}," for word in words), f"){end}"])


def _parameters(signature: inspect.Signature) -> Iterator[str]:
    kinds = inspect.Parameter
    starred = False
    for place, parameter in enumerate(signature.parameters.values()):
        if place == 0 and parameter.name in ("self", "cls"):
            continue
        if parameter.kind is kinds.VAR_POSITIONAL:
            starred = True
        if parameter.kind is kinds.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        star = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(parameter.kind.name, "")
        annotation = _annotation(parameter.annotation, ": ")
        word = f"{star}{parameter.name}{annotation}"
        if parameter.default is not kinds.empty:
            equals = " = " if annotation else "="
            word += f"{equals}{_default(parameter.default)}"
        yield word


def _annotation(value: object, before: str) -> str:
    if value is inspect.Signature.empty:
        return ""
    return before + (value if isinstance(value, str) else inspect.formatannotation(value))


def _default(value: object) -> str:
    # The representation of a function or an object holds its address, another in every process.
    if isinstance(getattr(value, "__name__", None), str):
        return str(getattr(value, "__name__"))  # noqa: B009
    shown = repr(value)
    return "..." if re.search(r" at 0x|<factory>", shown) else shown


def markdown(text: str) -> str:
    """A docstring as markdown: its sections as lists, its examples as code, its roles as names."""
    blocks: list[str] = []
    section = ""
    for block in _blocks(text):
        lines = block.splitlines()
        title = re.fullmatch(rf"({'|'.join(SECTIONS)}):", lines[0])
        if title:
            section, lines = title[1], inspect.cleandoc("\n".join(lines[1:])).splitlines()
            blocks.append(f"**{section}**")
        else:
            # A later paragraph of a section is indented as its first is.
            lines = inspect.cleandoc(block).splitlines() if section else lines
        if not lines:
            continue
        if lines[0].startswith(">>>"):
            blocks.append(_code("\n".join(lines)).rstrip())
        elif title and section in ("Args", "Attributes", "Raises"):
            blocks.append("\n".join(_items(lines)))
        else:
            blocks.append(_names("\n".join(lines)))
    return "\n\n".join(blocks) + "\n"


def _blocks(text: str) -> list[str]:
    """Paragraphs; a section's title begins one though no blank line goes before it."""
    spaced = re.sub(rf"\n(?=(?:{'|'.join(SECTIONS)}):\n)", "\n\n", text)
    return [block.strip("\n") for block in re.split(r"\n\s*\n", spaced) if block.strip()]


def _items(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        item = re.match(r"([\w*.,| \[\]]+): (.*)", line)
        if line.startswith(" ") or not item:
            yield _names("  " + line.strip())
        else:
            yield f"- `{item[1]}`: {_names(item[2])}"


def _names(text: str) -> str:
    text = re.sub(r":\w+:`~?\.?([^`]*)`", lambda found: f"`{found[1].rpartition('.')[2]}`", text)
    return re.sub(r"``([^`]*)``", r"`\1`", text)


def _code(text: str) -> str:
    return f"```python\n{text}\n```\n"


if __name__ == "__main__":
    sys.exit(main())
