"""The package's shape in numbers: ``python -m tools.house [FOLDER]``.

Modules are the files that hold more than a docstring. Lines are all of a file's, blank ones too.
Import lines are every line of every import statement, wherever it stands. Directions to tools
(``noqa``, ``type:``, ``fmt:``) explain nothing and are no comments. Lines of code are those that
are neither blank, nor docstring, nor a comment's alone.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "scirepeval_harness"
DIRECTION = re.compile(r"#\s*(noqa|type:|fmt:|pragma|ruff:|mypy:|!)")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Shape:
    """Counts over some modules; sums of two are a package's."""

    modules: int = 0
    lines: int = 0
    imports: int = 0
    code: int = 0
    comments: int = 0
    public: int = 0
    documented: int = 0

    def __add__(self, other: Shape) -> Shape:
        return Shape(*(a + b for a, b in zip(self._counts(), other._counts(), strict=True)))

    def _counts(self) -> tuple[int, ...]:
        return tuple(vars(self).values())

    @property
    def import_share(self) -> float:
        """Import lines of all lines, in percent."""
        return 100 * self.imports / max(self.lines, 1)

    @property
    def comments_per_100(self) -> float:
        """Comments for 100 lines of all lines, as the projects were counted that are compared."""
        return 100 * self.comments / max(self.lines, 1)

    @property
    def documented_share(self) -> float:
        """Public names with a docstring, in percent."""
        return 100 * self.documented / max(self.public, 1)


def shape_of(text: str) -> Shape:
    """The counts of one module's source."""
    tree = ast.parse(text)
    lines = text.splitlines()
    docstrings = {line for node in _docstrings(tree) for line in _lines(node)}
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    comments = [token for token in tokens if token.type == tokenize.COMMENT]
    alone = {token.start[0] for token in comments if token.line.lstrip().startswith("#")}
    code = [
        number
        for number, line in enumerate(lines, start=1)
        if line.strip() and number not in docstrings and number not in alone
    ]
    imports = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for line in _lines(node)
    }
    public = list(_public(tree))
    return Shape(
        modules=int(any(not _is_text(node) for node in tree.body)),
        lines=len(lines),
        imports=len(imports),
        code=len(code),
        comments=sum(not DIRECTION.match(token.string) for token in comments),
        public=len(public),
        documented=sum(ast.get_docstring(node) is not None for node in public),
    )


def shape_below(folder: Path = PACKAGE) -> Shape:
    """The counts of every module below a folder."""
    paths = sorted(folder.rglob("*.py"))
    return sum((shape_of(path.read_text(encoding="utf-8")) for path in paths), Shape())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures of a folder, one a line."""
    parser = argparse.ArgumentParser(prog="python -m tools.house", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=PACKAGE)
    shape = shape_below(parser.parse_args(arguments).folder)
    sys.stdout.write(
        f"modules                      {shape.modules:>8,}\n"
        f"lines                        {shape.lines:>8,}\n"
        f"import lines                 {shape.import_share:>8.1f}%\n"
        f"comments per 100 lines       {shape.comments_per_100:>8.1f}\n"
        f"lines of code                {shape.code:>8,}\n"
        f"public names with docstring  {shape.documented_share:>8.1f}%\n"
    )


def _lines(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _docstrings(tree: ast.Module) -> Iterator[ast.stmt]:
    """Strings that stand as statements: docstrings, and the texts below an attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and _is_text(node):
            yield node


def _public(tree: ast.Module) -> Iterator[Definition]:
    """Functions and classes of a module, and the methods of its public classes."""
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (
                    inner
                    for inner in node.body
                    if isinstance(inner, Definition) and not inner.name.startswith("_")
                )


if __name__ == "__main__":
    main()
