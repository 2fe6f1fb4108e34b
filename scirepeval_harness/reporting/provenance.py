"""What stands beside the scores: coverage, readings, times, machines, signatures, commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from scirepeval_harness.options import command_words
from scirepeval_harness.reporting.content import Execution, Gap, Report
from scirepeval_harness.reporting.table import NONE, Cell, Table, one_line, shown, text_table
from scirepeval_harness.results.folder import Result
from scirepeval_harness.results.record import shortfall

LONGEST_SIGNATURE = 600
LONGEST_REASON = 300
PHASES = ("load", "encode", "score", "intervals", "write")
"""In the order in which a task goes through them."""


def gap_table(report: Report) -> Table | None:
    """Tasks that failed or were scored in part; None where all are whole."""
    rows = [
        [
            *(shown(gap.system), shown(gap.task), gap.status, _of(gap.documents), _of(gap.queries)),
            one_line(gap.reason)[:LONGEST_REASON] or NONE,
        ]
        for gap in report.gaps
    ]
    header = ("Model", "Task", "Status", "Documents", "Queries", "Reason")
    return text_table(header, rows, caption="Not scored whole") if rows else None


def reading_table(report: Report) -> Table:
    """How the protocol's open points were read."""
    rows = [
        [
            *(shown(entry.suite), entry.name.replace("_", " "), entry.value.replace("_", " ")),
            "yes" if entry.default else "no",
        ]
        for entry in report.readings
    ]
    header = ("Suite", "Open point", "Reading", "Default")
    return text_table(header, rows, caption="Readings of the protocol")


def time_table(report: Report) -> Table:
    """Seconds by phase, and documents per second."""
    phases = list(dict.fromkeys(p for entry in report.executions for p in entry.seconds))
    rows = []
    for entry in report.executions:
        rate = entry.documents_per_second
        values = [entry.seconds.get(phase) for phase in phases]
        rows.append(
            (
                Cell(shown(entry.system)),
                Cell(shown(entry.created_at.replace("T", " ").replace("+00:00", " UTC"))),
                Cell(entry.status),
                *(_seconds(value) for value in values),
                _seconds(entry.total_seconds),
                Cell(str(entry.documents_encoded), entry.documents_encoded),
                Cell(str(entry.documents_cached), entry.documents_cached),
                Cell(NONE if rate is None else f"{rate:.1f}", rate),
            )
        )
    header = (
        *("Model", "Started", "Status"),
        *(f"{shown(phase)} (s)" for phase in phases),
        *("total (s)", "encoded", "from the store", "documents/s"),
    )
    return Table(header, tuple(rows), left=3, caption="Time", spare=("Started", "Status"))


def signature_table(report: Report) -> Table:
    """The signature of every run and of every task's scores."""
    rows = []
    for entry in report.executions:
        rows.append([shown(entry.system), "(all)", one_line(entry.signature)])
        for task, text in entry.task_signatures.items():
            rows.append([shown(entry.system), shown(task), one_line(text)[:LONGEST_SIGNATURE]])
    return text_table(("Model", "Task", "Signature"), rows, caption="Signatures")


def environments(report: Report) -> list[tuple[str, str]]:
    """Which models ran where: names of models, and one line on machine, settings and packages."""
    by_text: dict[str, list[str]] = {}
    for entry in report.executions:
        parts = [
            f"scirepeval-harness {entry.harness_version}"
            + (f", commit {entry.commit}" if entry.commit else ""),
            "; ".join(f"{name}: {value}" for name, value in entry.hardware.items()),
            "settings: " + ", ".join(f"{name} {value}" for name, value in entry.settings.items()),
            "packages: " + ", ".join(f"{name} {value}" for name, value in entry.packages.items()),
        ]
        text = ". ".join(part for part in parts if part and not part.endswith(": "))
        by_text.setdefault(one_line(text), []).append(shown(entry.system))
    return [(", ".join(names), text) for text, names in by_text.items()]


def commands(report: Report) -> list[str]:
    """The command lines that made the results, each once."""
    return list(dict.fromkeys(entry.command for entry in report.executions))


def _seconds(value: float | None) -> Cell:
    return Cell(NONE if value is None else f"{value:.1f}", value)


def _of(pair: tuple[int, int] | None) -> str:
    return NONE if pair is None else f"{pair[0]} of {pair[1]}"


def execution(title: str, result: Result) -> Execution:
    """The record of a result's run, under the title that the report gives it."""
    run = result.run
    # Encoding ahead of the tasks is of the run, not of a task.
    seconds = {phase: value for phase, value in run.seconds.items() if phase != "total"}
    for entry in run.tasks:
        for phase, value in entry.seconds.items():
            seconds[phase] = seconds.get(phase, 0.0) + value
    # A phase that is not listed, of a later version or another package, goes last.
    order = {phase: number for number, phase in enumerate(PHASES)}
    # One run has one set of choices, so that the first task's stand for all.
    settings = next((record.settings for record in result.tasks.values()), {})
    commit = run.git_commit and run.git_commit[:12] + (" with changes" if run.git_dirty else "")
    return Execution(
        system=title,
        created_at=run.created_at,
        status=run.status,
        harness_version=run.harness_version,
        commit=commit,
        seconds=dict(sorted(seconds.items(), key=lambda e: (order.get(e[0], len(order)), e[0]))),
        total_seconds=run.seconds.get("total"),
        documents_encoded=run.documents_encoded,
        documents_cached=run.documents_cached,
        hardware=dict(sorted(run.hardware.items())),
        packages=dict(sorted(run.packages.items())),
        signature=run.signature,
        task_signatures={name: record.signature for name, record in result.tasks.items()},
        settings={name: str(value) for name, value in sorted(settings.items())},
        command=run_command_line(run.arguments),
    )


def execution_gaps(title: str, result: Result) -> Iterator[Gap]:
    """Tasks that failed, or that were scored on a part of their documents or queries."""
    for name, record in result.tasks.items():
        if record.status == "ok" and not shortfall(record):
            continue
        coverage = record.coverage
        yield Gap(
            system=title,
            task=name,
            status=record.status,
            documents=(coverage.documents_found, coverage.documents_needed) if coverage else None,
            queries=(coverage.queries_found, coverage.queries_needed) if coverage else None,
            reason=record.error or "",
        )


def warnings(title: str, result: Result) -> Iterator[str]:
    """What the tasks warned of; what several say in the same words is one line."""
    found: dict[str, list[str]] = {}
    for name, record in result.tasks.items():
        limit = record.settings.get("limit")
        limited = (f"limited to {limit} queries or rows",) if limit else ()
        for text in (*record.warnings, *limited):
            found.setdefault(text, []).append(name)
    for text, names in found.items():
        yield f"{title}, {', '.join(names)}: {text}"


def run_command_line(arguments: Mapping[str, object]) -> str:
    """The ``run`` command of these arguments, for a POSIX shell, on one line."""
    words = ["python", "-m", "scirepeval_harness", "run", *command_words(arguments)]
    return " ".join(shell_word(word) for word in words)


def shell_word(word: str) -> str:
    """A word quoted for bash and zsh; what cannot be printed is written as an escape."""
    if word.isprintable():
        return shlex.quote(word)
    # Bytes, not characters: a lone surrogate stands for a byte that is no UTF-8.
    raw = word.encode("utf-8", "surrogatepass")
    return "$'" + "".join(_byte(value) for value in raw) + "'"


def _byte(value: int) -> str:
    char = chr(value)
    if char in "\\'":
        return f"\\{char}"
    return char if 32 <= value < 127 else f"\\x{value:02x}"
