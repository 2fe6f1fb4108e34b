"""What stands beside the scores: coverage, readings, times, machines, signatures, commands."""

from __future__ import annotations

from scirepeval_harness.comparison import render
from scirepeval_harness.comparison.render import shown
from scirepeval_harness.report.content import Report
from scirepeval_harness.report.tables import NONE, Field, Table, text_fields

LONGEST_SIGNATURE = 600
LONGEST_REASON = 300


def gaps(report: Report) -> Table | None:
    """Tasks that failed or were scored in part; None where all are whole."""
    if not report.gaps:
        return None
    rows = tuple(
        text_fields(
            [
                shown(gap.system),
                shown(gap.task),
                gap.status,
                _of(gap.documents),
                _of(gap.queries),
                render.one_line(gap.reason)[:LONGEST_REASON] or NONE,
            ]
        )
        for gap in report.gaps
    )
    header = ("Model", "Task", "Status", "Documents", "Queries", "Reason")
    return Table("Not scored whole", header, rows, left=len(header), scores=False)


def readings(report: Report) -> Table:
    """How the protocol's open points were read."""
    rows = tuple(
        text_fields(
            [
                shown(entry.suite),
                entry.name.replace("_", " "),
                entry.value.replace("_", " "),
                "yes" if entry.default else "no",
            ]
        )
        for entry in report.readings
    )
    header = ("Suite", "Open point", "Reading", "Default")
    return Table("Readings of the protocol", header, rows, left=4, scores=False)


def times(report: Report) -> Table:
    """Seconds by phase, and documents per second."""
    phases = list(dict.fromkeys(p for entry in report.executions for p in entry.seconds))
    rows = []
    for entry in report.executions:
        rate = entry.documents_per_second
        values = [entry.seconds.get(phase) for phase in phases]
        rows.append(
            (
                Field(shown(entry.system)),
                Field(shown(entry.created_at.replace("T", " ").replace("+00:00", " UTC"))),
                Field(entry.status),
                *(_seconds(value) for value in values),
                _seconds(entry.total_seconds),
                Field(str(entry.documents_encoded), entry.documents_encoded),
                Field(str(entry.documents_cached), entry.documents_cached),
                Field(NONE if rate is None else f"{rate:.1f}", rate),
            )
        )
    header = (
        *("Model", "Started", "Status"),
        *(f"{shown(phase)} (s)" for phase in phases),
        *("total (s)", "encoded", "from the store", "documents/s"),
    )
    return Table("Time", header, tuple(rows), left=3, scores=False)


def signatures(report: Report) -> Table:
    """The signature of every run and of every task's scores."""
    rows = []
    for entry in report.executions:
        rows.append(text_fields([shown(entry.system), "(all)", render.one_line(entry.signature)]))
        for task, text in entry.task_signatures.items():
            rows.append(
                text_fields(
                    [shown(entry.system), shown(task), render.one_line(text)[:LONGEST_SIGNATURE]]
                )
            )
    header = ("Model", "Task", "Signature")
    return Table("Signatures", header, tuple(rows), left=3, scores=False)


def environments(report: Report) -> list[tuple[str, str]]:
    """Which models ran where: names of models, and one line on machine, settings and packages."""
    found: dict[str, list[str]] = {}
    for entry in report.executions:
        parts = [
            f"scirepeval-harness {entry.harness_version}"
            + (f", commit {entry.commit}" if entry.commit else ""),
            "; ".join(f"{name}: {value}" for name, value in entry.hardware.items()),
            "settings: " + ", ".join(f"{name} {value}" for name, value in entry.settings.items()),
            "packages: " + ", ".join(f"{name} {value}" for name, value in entry.packages.items()),
        ]
        text = ". ".join(part for part in parts if part and not part.endswith(": "))
        found.setdefault(render.one_line(text), []).append(shown(entry.system))
    return [(", ".join(names), text) for text, names in found.items()]


def commands(report: Report) -> list[str]:
    """The command lines that made the results, each once."""
    return list(dict.fromkeys(entry.command for entry in report.executions))


def _seconds(value: float | None) -> Field:
    return Field(NONE if value is None else f"{value:.1f}", value)


def _of(pair: tuple[int, int] | None) -> str:
    return NONE if pair is None else f"{pair[0]} of {pair[1]}"
