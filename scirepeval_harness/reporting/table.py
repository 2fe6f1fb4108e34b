"""The one table of the harness: cells under a header, and every form that it is written in.

Names of models and tasks are anybody's: each form takes a cell as plain text, on one line, with
what is special in that form escaped. Nothing heavy is imported here, since lists of tasks and
models are printed with it.
"""

from __future__ import annotations

import csv
import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scirepeval_harness.progress import printable

if TYPE_CHECKING:
    import pandas as pd
    from jinja2 import Environment

NONE = "-"
"""Stands where there is no number."""
LONGEST_NAME = 80
GAP = "  "
EASY = 20
"""Characters a line that a column of sentences should have."""
MARKDOWN = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {char: f"\\{char}" for char in "\\|`*_[]~"}
)
LATEX = str.maketrans(
    {char: f"\\{char}" for char in "&%$#_{}"}
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        # After the end of a row these would be taken for its optional argument or star.
        "[": "{[}",
        "*": "{*}",
    }
)
LATEX_HEAD = "% Needs \\usepackage{booktabs}; names beyond Latin letters need LuaLaTeX or XeLaTeX."


def one_line(text: str) -> str:
    """`printable`, with single spaces."""
    return " ".join(printable(text).split())


def shown(text: str) -> str:
    """A name on one line, cut where it would fill the page."""
    plain = one_line(text)
    return plain if len(plain) <= LONGEST_NAME else plain[: LONGEST_NAME - 3] + "..."


def escape_markdown(text: str) -> str:
    """Text that markdown and HTML show as it is, on one line."""
    return printable(text).translate(MARKDOWN)


def escape_latex(text: str) -> str:
    """Text that LaTeX sets as it is, on one line."""
    # Two of these in a row would be set as one other character, a ligature.
    return re.sub(r"([-`',?!])(?=[-`',])", r"\1{}", printable(text).translate(LATEX))


def escape_csv(text: str) -> str:
    """Text that a spreadsheet does not take for a formula, on one line."""
    plain = printable(text)
    return f"'{plain}" if plain[:1] in ("=", "+", "-", "@") else plain


def number(value: float | None, sign: bool = False) -> str:
    """``71.25``, or ``+0.31`` with its sign; a hyphen for none."""
    if value is None:
        return NONE
    # Not -0.00: a difference in the last bits is none.
    value = round(value, 2) + 0.0
    return f"{value:+.2f}" if sign and value else f"{value:.2f}"


def range_text(interval: tuple[float, float] | None, sign: bool = True) -> str:
    """``[-0.12, +0.43]``; a hyphen for none."""
    if interval is None:
        return NONE
    return f"[{number(interval[0], sign)}, {number(interval[1], sign)}]"


def p_text(value: float | None) -> str:
    """A p-value to four places; a hyphen for none."""
    return NONE if value is None else f"{value:.4f}"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell. ``number`` is its value at full precision, for sorting, CSV and frames; ``small`` is
    its interval, ``part`` says how much of a mean is there, ``tone`` is ``better`` or ``worse``."""

    text: str
    number: float | None = None
    best: bool = False
    small: str = ""
    part: str = ""
    tone: str = ""

    @property
    def plain(self) -> str:
        """All that it says, on one line: ``71.2 [70.5, 71.9] (12 of 27)``."""
        return " ".join(part for part in map(printable, (self.text, self.small, self.part)) if part)

    @property
    def value(self) -> float | str | None:
        """The number, else the text; None where the cell is empty."""
        if self.number is not None:
            return self.number
        return None if self.text in (NONE, "") else self.text


@dataclass(frozen=True)
class Table:
    """Rows under a header, the first ``left`` columns of which are text.

    ``synthetic`` marks scores of made data; ``rule_before`` is the row above which a form with
    rules draws one; ``spare`` names the columns that a narrow terminal does without, those that go
    first at the front. ``legend`` says in half a line what a column is, to a person at a terminal.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left: int = 1
    caption: str = ""
    notes: tuple[str, ...] = ()
    synthetic: bool = False
    rule_before: int | None = None
    spare: tuple[str, ...] = ()
    legend: Mapping[str, str] = field(default_factory=dict)

    @property
    def minor(self) -> tuple[int, ...]:
        """The places of the text columns that a narrow screen does without, as a terminal does."""
        return tuple(c for c in range(1, self.left) if self.header[c] in self.spare)

    def to_terminal(self, width: int) -> str:
        """The table within ``width`` characters, for a person: texts are wrapped between words,
        then the ``spare`` columns left out one by one, then each row becomes a list."""
        columns = list(range(len(self.header)))
        texts = [[printable(name) for name in self.header]]
        texts += [[cell.plain for cell in row] for row in self.rows]
        # What stands first gets typed into the next command: it is never wrapped.
        least = [max(_longest(row[c], words=c > 0) for row in texts) for c in columns]
        longest = [max(len(row[c]) for row in texts) for c in columns]
        # A sentence in a column of one word each can be read, but nobody does.
        easy = [max(least[c], min(longest[c], EASY)) for c in columns]
        for name in self.spare:
            if name in self.header and _total(easy, columns) > width:
                columns.remove(self.header.index(name))
        notes = [*map(printable, self.notes)]
        lines: list[str] = []
        if _total(least, columns) > width:
            for row in texts[1:]:
                lines += _listed(texts[0], row, width)
        else:
            if gone := [name for c, name in enumerate(self.header) if c not in columns]:
                notes.append(f"Not shown at this width: {', '.join(gone)}.")
            widths = _widths(longest, least, columns, width)
            for number, row in enumerate(texts):
                if number == 1 or (number and number - 1 == self.rule_before):
                    lines.append(GAP.join("-" * widths[c] for c in columns))
                lines += _wrapped(row, widths, self.left)
        shown_names = {name for c, name in enumerate(self.header) if c in columns}
        meant = [f"{name}: {text}" for name, text in self.legend.items() if name in shown_names]
        if meant:
            notes.append(f"{'; '.join(meant)}.")
        return "\n".join([*lines, *(line for note in notes for line in _wrap(note, width))])

    def to_text(self) -> str:
        """Aligned columns, the notes below; nothing for a table without columns."""
        body = [[cell.plain for cell in row] for row in self.rows]
        return "\n".join([*aligned([list(self.header), *body]), *map(printable, self.notes)])

    def markdown_lines(self) -> list[str]:
        """The lines of a markdown table, the best of a column in bold."""
        rule = "|" + "---|" * self.left + "---:|" * (len(self.header) - self.left)
        rows = [" | ".join(map(_markdown_cell, row)) for row in self.rows]
        header = " | ".join(map(escape_markdown, self.header))
        return [f"| {header} |", rule, *(f"| {row} |" for row in rows)]

    def to_markdown(self) -> str:
        """The caption as a sentence, the table, its notes as a list."""
        caption = [f"{escape_markdown(self.caption)}.", ""] if self.caption else []
        notes = ["", *(f"- {escape_markdown(note)}" for note in self.notes)] if self.notes else []
        return "\n".join([*caption, *self.markdown_lines(), *notes]) + "\n"

    def to_latex(self, label: str = "tab:scores") -> str:
        """A floating table: caption, booktabs rules, best in bold, notes below."""
        rows = [" & ".join(map(_latex_cell, row)) + r" \\" for row in self.rows]
        # Measured above the rule, published below it.
        if self.rule_before is not None:
            rows.insert(self.rule_before, r"\midrule")
        columns = "l" * self.left + "r" * (len(self.header) - self.left)
        lines = [
            LATEX_HEAD,
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape_latex(self.caption)}.}}",
            rf"\label{{{label}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(escape_latex, self.header)) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par\footnotesize {escape_latex(note)}" for note in self.notes),
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"

    def to_csv(self) -> str:
        """Numbers at full precision, and text that no spreadsheet takes for a formula."""
        out = io.StringIO()
        # Not the module's own \r\n: all files of a report end their lines alike.
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(map(escape_csv, self.header))
        for row in self.rows:
            writer.writerow(
                # Numbers go past the escape, which would make text of every negative one.
                escape_csv(cell.text) if cell.number is None else repr(cell.number)
                for cell in row
            )
        return out.getvalue()

    def to_html(self) -> str:
        """The table with its notes as a fragment of a page, every cell escaped."""
        # The report's own macro, so that a notebook escapes and marks as the page does.
        macros: Any = templates().get_template("table.html.j2").module
        return str(macros.alone(self))

    def to_values(self) -> list[dict[str, float | str | None]]:
        """JSON-ready: one mapping a row, from the header to numbers and texts."""
        return [
            {name: cell.value for name, cell in zip(self.header, row, strict=True)}
            for row in self.rows
        ]

    def to_pandas(self) -> pd.DataFrame:
        """A frame of `to_values`."""
        import pandas as pd

        return pd.DataFrame(self.to_values(), columns=list(self.header))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return self.to_html()


def text_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: int | None = None,
    caption: str = "",
    spare: Sequence[str] = (),
    legend: Mapping[str, str] | None = None,
) -> Table:
    """A table of plain cells; all columns are text unless ``left`` says how many are."""
    cells = tuple(tuple(map(Cell, row)) for row in rows)
    columns = len(header) if left is None else left
    return Table(tuple(header), cells, columns, caption, spare=tuple(spare), legend=legend or {})


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines whose columns start at the same place, without spaces at the end."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _longest(text: str, *, words: bool) -> int:
    return max(map(len, text.split()), default=0) if words else len(text)


def _total(widths: Sequence[int], columns: Sequence[int]) -> int:
    return sum(widths[c] for c in columns) + len(GAP) * (len(columns) - 1)


def _widths(
    longest: Sequence[int], least: Sequence[int], columns: Sequence[int], width: int
) -> dict[int, int]:
    """Of each column: all that its longest text takes where there is room, else a fair part."""
    found = {c: least[c] for c in columns}
    room = width - _total(least, columns)
    wanted = {c: longest[c] - least[c] for c in columns}
    # Those that want little first: what they leave is shared by the others.
    for left, c in enumerate(sorted(columns, key=wanted.__getitem__)):
        given = min(wanted[c], room // (len(columns) - left))
        found[c] += given
        room -= given
    return found


def _wrapped(row: Sequence[str], widths: Mapping[int, int], left: int) -> list[str]:
    """A row as lines; numbers stand at the right of their column."""
    cells = {c: _wrap(row[c], width) if c else [row[c]] for c, width in widths.items()}
    lines = []
    for number in range(max(map(len, cells.values()))):
        parts = []
        for c, width in widths.items():
            text = cells[c][number] if number < len(cells[c]) else ""
            parts.append(text.ljust(width) if c < left else text.rjust(width))
        lines.append(GAP.join(parts).rstrip())
    return lines


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def _listed(header: Sequence[str], row: Sequence[str], width: int) -> list[str]:
    """A row that no table has room for: its first text, and below it a line a column."""
    pairs = zip(header[1:], row[1:], strict=True)
    texts = [f"{name}: {text}" for name, text in pairs if text not in (NONE, "")]
    # Indented lines below the name; what goes on is indented twice.
    below = [f"\n{GAP * 2}".join(_wrap(text, width - 2 * len(GAP))) for text in texts]
    return [row[0], *(GAP + text for text in below)]


def templates() -> Environment:
    """The package's page templates, in which every name is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # A name that a template misspells fails here, and is not an empty place on a page.
    return Environment(
        loader=PackageLoader("scirepeval_harness.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _markdown_cell(cell: Cell) -> str:
    text, small, part = map(escape_markdown, (cell.text, cell.small, cell.part))
    return " ".join(filter(None, (f"**{text}**" if cell.best else text, small, part)))


def _latex_cell(cell: Cell) -> str:
    # A hyphen alone is set as a dash: it stands for a number.
    text = "--" if cell.text == NONE else escape_latex(cell.text)
    text = rf"\textbf{{{text}}}" if cell.best else text
    return f"{text} {{\\footnotesize {escape_latex(cell.part)}}}" if cell.part else text
