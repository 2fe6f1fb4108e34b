"""The report as one page that needs no network."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from scirepeval_harness.report import comparison as render
from scirepeval_harness.report import pages as texts
from scirepeval_harness.report import provenance as circumstances
from scirepeval_harness.report import table as tables
from scirepeval_harness.report.charts import Plots
from scirepeval_harness.report.content import Report
from scirepeval_harness.report.style import Plot, inline_svg

TEMPLATES = "templates"
LONGEST_WARNING = 500


def report_html(report: Report, plots: Plots) -> str:
    """The page: styles, script and pictures inline, every name escaped.

    Its content policy lets run nothing but its own script, and load nothing at all.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("scirepeval_harness.report", TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _own("sort.js")

    def picture(plot: Plot | None) -> Markup | None:
        return None if plot is None else Markup(inline_svg(plot))

    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template("report.html.j2").render(
        report=report,
        tables=tables,
        circumstances=circumstances,
        texts=texts,
        render=render,
        plots=plots,
        picture=picture,
        # The package's own files, not names of anybody's models.
        style=Markup(_own("style.css")),
        script=Markup(script),
        script_digest=digest,
        comparisons=[
            (comparison, tables.deltas(comparison), tables.delta_means(comparison), plot)
            for comparison, plot in zip(report.comparisons, plots.deltas, strict=True)
        ],
        warnings=[render.one_line(text)[:LONGEST_WARNING] for text in report.warnings],
    )
    return page if page.endswith("\n") else page + "\n"


def _own(name: str) -> str:
    return resources.files(__package__).joinpath(TEMPLATES, name).read_text(encoding="utf-8")
