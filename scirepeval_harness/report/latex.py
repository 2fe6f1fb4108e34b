"""The leaderboard as a LaTeX table with booktabs."""

from __future__ import annotations

import re

from scirepeval_harness.report import table as tables
from scirepeval_harness.report.content import Report
from scirepeval_harness.report.leaderboard import caption
from scirepeval_harness.report.table import Field

SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # After the end of a row these would be taken for its optional argument or star.
    "[": "{[}",
    "*": "{*}",
}
HEAD = "% Needs \\usepackage{booktabs}; names beyond Latin letters need LuaLaTeX or XeLaTeX."


def leaderboard_latex(report: Report) -> str:
    """A floating table: caption, booktabs rules, best in bold, notes below."""
    table = tables.leaderboard(report, intervals=False)
    rows = [" & ".join(_text(field) for field in row) + r" \\" for row in table.rows]
    published = [row.published for row in report.rows]
    if True in published and False in published:
        rows.insert(published.index(True), r"\midrule")
    notes = [rf"\par\footnotesize {escape(note)}" for note in tables.row_notes(report)]
    return "\n".join(
        [
            HEAD,
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(caption(report.suites))}.}}",
            r"\label{tab:leaderboard}",
            rf"\begin{{tabular}}{{l{'r' * (len(table.header) - 1)}}}",
            r"\toprule",
            " & ".join(map(escape, table.header)) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            *notes,
            r"\end{table}",
            "",
        ]
    )


def escape(text: str) -> str:
    """Text that LaTeX sets as it is, on one line."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    escaped = "".join(SPECIAL.get(char, char) for char in shown)
    # Two of these in a row would be set as one other character.
    return re.sub(r"([-`',?!])(?=[-`',])", r"\1{}", escaped)


def _text(field: Field) -> str:
    text = escape(field.text)
    if field.text.replace(".", "", 1).isdigit():
        text = field.text
    if field.text == tables.NONE:
        text = "--"
    text = rf"\textbf{{{text}}}" if field.best else text
    return f"{text} {{\\footnotesize {escape(field.part)}}}" if field.part else text
