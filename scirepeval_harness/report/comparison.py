"""A comparison as rows of a table and as markdown."""

from __future__ import annotations

from collections.abc import Sequence

from scirepeval_harness.comparison.records import Comparison, Difference, Mismatch, Summary
from scirepeval_harness.comparison.systems import by_reason
from scirepeval_harness.report.leaderboard import escape

LONGEST = 80
SCORES_HEADER = ["Task", "Score", "A", "B", "B - A", "95% interval", "p", "p (Holm)", "B is"]
MEANS_HEADER = ["Mean", "A", "B", "B - A", "95% interval", "p (Holm)", "Numbers"]
METHOD = (
    "Intervals: paired bootstrap over the same queries or rows. p: paired permutation test, for a "
    "mean by its bootstrap error. Holm: corrected over all scores and averages (over the formats, "
    "for formats), and what better, worse and same go by, at 5%."
)


def one_line(text: str) -> str:
    """Without line ends, control characters and marks that turn the direction of writing."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def shown(text: str) -> str:
    """A name on one line, cut where it would fill the page."""
    plain = one_line(text)
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 3] + "..."


def number(value: float | None, sign: bool = False) -> str:
    """``71.25``, or ``+0.31`` with its sign; a hyphen for none."""
    if value is None:
        return "-"
    # Not -0.00: a difference in the last bits is none.
    value = round(value, 2) + 0.0
    return f"{value:+.2f}" if sign and value else f"{value:.2f}"


def range_text(interval: tuple[float, float] | None) -> str:
    """``[-0.12, +0.43]``; a hyphen for none."""
    if interval is None:
        return "-"
    return f"[{number(interval[0], True)}, {number(interval[1], True)}]"


def p_text(value: float | None) -> str:
    """A p-value to four places; a hyphen for none."""
    return "-" if value is None else f"{value:.4f}"


def score_row(entry: Difference) -> list[str]:
    """The cells of one score, under `SCORES_HEADER`."""
    return [
        shown(entry.title),
        entry.key,
        number(entry.a),
        number(entry.b),
        number(entry.difference, True),
        range_text(entry.interval),
        p_text(entry.p_value),
        p_text(entry.p_holm),
        entry.verdict,
    ]


def mean_row(entry: Summary) -> list[str]:
    """The cells of one mean, under `MEANS_HEADER`."""
    return [
        shown(entry.name),
        number(entry.a),
        number(entry.b),
        number(entry.difference, True),
        range_text(entry.interval),
        p_text(entry.p_holm),
        f"{entry.numbers} of {entry.need}" if entry.partial else str(entry.numbers),
    ]


def heading(comparison: Comparison) -> str:
    """``A: TF-IDF. B: MiniLM. Of 22 scores B is better in 9, worse in 1, the same in 12.``"""
    unknown = len(comparison.tasks) - comparison.wins - comparison.losses - comparison.ties
    text = f"A: {shown(comparison.base)}. B: {shown(comparison.other)}. "
    if not comparison.tasks:
        return text + "No task has a score in both."
    text += (
        f"Of {len(comparison.tasks)} scores B is better in {comparison.wins}, "
        f"worse in {comparison.losses}, the same in {comparison.ties}"
    )
    return text + (f", not tested in {unknown}." if unknown else ".")


def mismatch_lines(entries: Sequence[Mismatch]) -> list[str]:
    """``reason: task, task``, one line a reason, each on one line of the page."""
    lines = (f"{reason}: {', '.join(names)}" for reason, names in by_reason(entries).items())
    return [one_line(line) for line in lines]


def markdown(comparison: Comparison) -> str:
    """The comparison as markdown tables with the method below."""
    lines = [escape(heading(comparison)), ""]
    lines += markdown_table(SCORES_HEADER, [score_row(e) for e in comparison.tasks], left=2)
    parts = (("By format", comparison.formats), ("Averages", comparison.averages))
    for title, entries in parts:
        if entries:
            lines += ["", f"{title}:", ""]
            lines += markdown_table(MEANS_HEADER, [mean_row(e) for e in entries], left=1)
    if comparison.mismatches:
        lines += ["", "Not comparable:", ""]
        lines += [f"- {escape(line)}" for line in mismatch_lines(comparison.mismatches)]
    return "\n".join([*lines, "", METHOD, ""])


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> list[str]:
    """Lines of a table whose first ``left`` columns hold text; every cell is escaped."""
    rule = "|" + "---|" * left + "---:|" * (len(header) - left)
    table = [f"| {' | '.join(header)} |", rule]
    return table + ["| " + " | ".join(escape(cell) for cell in row) + " |" for row in rows]
