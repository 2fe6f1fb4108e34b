"""Reader of SciRepEval's own task lists (``scirepeval_tasks.jsonl``), one JSON object a line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import Field

from scirepeval_harness.errors import SpecError
from scirepeval_harness.files import parse_json
from scirepeval_harness.roles import Format
from scirepeval_harness.schema import read_text, validate
from scirepeval_harness.task.spec import Strict, TaskSpec

DEFAULT_FIELDS = ("title", "abstract")
RANKING, POOLS = "ranking", "citation_pools"


class OfficialTable(Strict):
    """A config of a dataset repository on the hub."""

    name: str
    config: str


class OfficialData(Strict):
    """Where a task's data lies: on the hub, or as paths relative to ``--data DIR``.

    ``simple_format`` says that the documents are a flat table; readers see that from the rows.
    """

    meta: OfficialTable | str
    test: OfficialTable | str
    reviewers: OfficialTable | str | None = None
    simple_format: bool = False


class OfficialShots(Strict):
    """A few-shot setting."""

    sample_size: int
    iterations: int


class OfficialTask(Strict):
    """A line of the list. ``embeddings`` names cache files, which the harness does not need."""

    name: str = Field(min_length=1)
    type: Format
    data: OfficialData
    metrics: tuple[str, ...]
    fields: tuple[str, ...] = DEFAULT_FIELDS
    few_shot: tuple[OfficialShots, ...] = ()
    multi_label: bool = False
    embeddings: dict[str, str] = Field(default={})


@dataclass(frozen=True)
class Refused:
    """A task of a list that cannot be evaluated, and why."""

    name: str
    error: SpecError


def slug_of(name: str) -> str:
    """A printed name as a task name: ``Paper-Reviewer Matching`` -> ``paper-reviewer-matching``."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-")[:80].rstrip("-")


def read_official(path: Path) -> Iterator[tuple[TaskSpec | Refused, str]]:
    """Each task of a list with its place, ``file:line``.

    A task with ``reviewers`` is reviewer matching; one whose ``test`` is a ``.json`` file is MDCR's
    form, in fields of its own. A line in the list's form whose task cannot be evaluated, because of
    an unknown metric say, is refused alone.

    Raises:
        SpecError: an empty list, or a line that is no JSON object or does not follow the form.
    """
    text = read_text(path)
    if not text.strip():
        raise SpecError("the list is empty", where=str(path), fix="Write one task a line")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            raw = parse_json(line)
        except ValueError as error:
            raise SpecError(
                f"malformed JSON: {error}", where=where, fix="Repair the line"
            ) from error
        if not isinstance(raw, dict):
            raise SpecError("not a JSON object", where=where, fix="Write one task a line")
        official = validate(OfficialTask, raw, where)
        try:
            yield _task(official, where), where
        except SpecError as error:
            yield Refused(slug_of(official.name), error), where


def _task(line: OfficialTask, where: str) -> TaskSpec:
    evaluation = _evaluation(line)
    two_sided = line.type is Format.PROXIMITY and evaluation is RANKING
    raw: dict[str, object] = {
        "name": slug_of(line.name),
        "title": line.name,
        "format": line.type,
        "evaluation": evaluation,
        "multi_label": line.multi_label,
        "metrics": line.metrics,
        "fields": line.fields,
        # An ad-hoc query is raw text; elsewhere queries are papers like the candidates.
        "query_fields": line.fields if two_sided else DEFAULT_FIELDS,
        "few_shot": [shots.model_dump() for shots in line.few_shot],
        "local": _local(line.data, evaluation),
    }
    hub = _hub(line.data, evaluation)
    if hub:
        raw["hub"] = hub
    return validate(TaskSpec, raw, where)


def _evaluation(line: OfficialTask) -> str:
    if line.type in (Format.CLASSIFICATION, Format.REGRESSION):
        return "probe"
    if line.data.reviewers is not None:
        return "reviewer_matching"
    if isinstance(line.data.test, str) and line.data.test.endswith(".json"):
        return POOLS
    return RANKING


def _hub(data: OfficialData, evaluation: str) -> dict[str, object]:
    splits = {
        "documents": "evaluation",
        "labels": "test" if evaluation is RANKING else None,
        "reviewers": "metadata",
    }
    parts = {"documents": data.meta, "labels": data.test, "reviewers": data.reviewers}
    return {
        part: {"repo": table.name, "config": table.config, "split": splits[part]}
        for part, table in parts.items()
        if isinstance(table, OfficialTable)
    }


def _local(data: OfficialData, evaluation: str) -> dict[str, str]:
    """Paths as given; a hub config lies in a directory of its name in the published local form."""
    labels = "pools" if evaluation is POOLS else "labels"
    parts = {"documents": data.meta, labels: data.test, "reviewers": data.reviewers}
    paths: dict[str, str] = {}
    for part, place in parts.items():
        if isinstance(place, OfficialTable):
            folder = PurePosixPath(place.config)
            paths[part] = str(folder / "meta.jsonl" if part == "documents" else folder)
        elif place is not None:
            paths[part] = place
    return paths
