"""Author disambiguation: signatures clustered within name blocks (docs/protocol.md).

The protocol's S2AND number comes from S2AND's own experiment, a pairwise model over names,
affiliations and more besides the embedding. The light form clusters by vectors alone: its metric
has another name and no published average takes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluations import base
from scirepeval_harness.evaluations.metrics import unfit
from scirepeval_harness.files import s2and_dir
from scirepeval_harness.roles import Format
from scirepeval_harness.schema import shown
from scirepeval_harness.task.audit import Finding, Share, finding
from scirepeval_harness.task.dataset import Coverage, Document
from scirepeval_harness.task.tables import (
    Collected,
    as_id,
    check_coverage,
    parts_of,
    read_json_object,
)

if TYPE_CHECKING:
    from scirepeval_harness.task.load import DataOptions
    from scirepeval_harness.task.sources import Source
    from scirepeval_harness.task.spec import Readings, TaskSpec

S2AND_METRIC = "b3_f1"
"""B-cubed F1 as S2AND's own experiment prints it."""
LIGHT_METRIC = "light_b3_f1"
"""B-cubed F1 of clusters made from vectors alone."""
FORM = "Expected the form of S2AND's release"


@dataclass(frozen=True)
class AuthorBlocks:
    """Author disambiguation: signatures of papers, grouped in name blocks, with true clusters.

    Keys of the maps: ``blocks`` data set -> block name -> signature ids; ``paper_of`` and
    ``cluster_of`` signature id -> paper id, cluster id. Signature ids are unique across data sets.
    """

    documents: Mapping[str, Document]
    blocks: Mapping[str, Mapping[str, tuple[str, ...]]]
    paper_of: Mapping[str, str]
    cluster_of: Mapping[str, str]
    folder: Path | None = None
    """Where whole data sets lie, for S2AND's own experiment; None for a part of them."""


class AuthorDisambiguation(base.Evaluation[AuthorBlocks]):
    """Clusters of S2AND's own experiment, or of vectors alone: the metric says which."""

    name = "author_disambiguation"
    formats = (Format.PROXIMITY,)

    def check(self, task: TaskSpec) -> None:
        super().check(task)
        if len(task.metrics) > 1:
            raise ValueError("metrics: author disambiguation takes one")
        if task.metrics[0] not in (S2AND_METRIC, LIGHT_METRIC):
            raise unfit(task, task.metrics[0], (S2AND_METRIC, LIGHT_METRIC))

    def read(
        self, task: TaskSpec, source: Source, options: DataOptions
    ) -> tuple[AuthorBlocks, Coverage]:
        return read_blocks(
            task.name,
            source.files().path("blocks"),
            task.fields,
            limit=options.limit,
            allow_missing=options.allow_missing,
        )

    def documents(self, data: AuthorBlocks) -> Mapping[str, Document]:
        return data.documents

    def score(
        self,
        task: TaskSpec,
        data: AuthorBlocks,
        vectors: base.VectorTable,
        options: base.ScoreOptions,
    ) -> base.Outcome:
        if S2AND_METRIC in task.metrics:
            from scirepeval_harness.evaluations.s2and.evaluate import evaluate_s2and

            return evaluate_s2and(data, vectors, s2and_dir(), say=options.progress.say)
        from scirepeval_harness.evaluations.clustering import evaluate_author_disambiguation

        return evaluate_author_disambiguation(task, data, vectors)

    def fingerprint(self, data: AuthorBlocks) -> Iterator[tuple[object, ...]]:
        yield from base.document_rows(data.documents)
        yield (sorted((name, sorted(blocks.items())) for name, blocks in data.blocks.items()),)
        yield sorted(data.paper_of.items()), sorted(data.cluster_of.items())

    def unready(self, task: TaskSpec, data: Path | None, *, named: bool) -> str | None:
        """S2AND's own number needs its own package, whose pairwise model and clusterer make it: a
        score of another method under the same name would enter the published average."""
        from scirepeval_harness.evaluations.s2and.environment import is_ready

        if S2AND_METRIC not in task.metrics:
            return None
        if not is_ready(s2and_dir()):
            return "needs S2AND's own package (`s2and setup`), left out"
        # A folder that was given for all tasks need not hold this one.
        there = data is None or (data / (task.local.blocks or "")).is_dir()
        return None if named or there else f"not below {data}, left out (--data {task.name}=FOLDER)"

    def audit(self, data: AuthorBlocks) -> tuple[Iterable[Finding], Iterable[Share]]:
        return _odd_blocks(data), _block_sizes(data)

    def bounds(self, metric: str) -> tuple[float, float]:
        return 0.0, 100.0

    def rescored(self, task: TaskSpec, outcome: base.Outcome) -> Mapping[str, float]:
        """As every kind; not what S2AND's experiment prints, which it rounds in its own way."""
        return {} if S2AND_METRIC in task.metrics else super().rescored(task, outcome)

    def numbers(
        self, task: TaskSpec, scores: Mapping[str, base.Number], readings: Readings
    ) -> dict[str, base.Number | None]:
        """Measured, or what published averages put in its place (docs/protocol.md)."""
        if readings.author_disambiguation == "excluded":
            return {}
        if readings.author_disambiguation == "constant":
            return {"constant": readings.author_disambiguation_constant}
        return super().numbers(task, scores, readings)


EVALUATION = AuthorDisambiguation()


def read_blocks(
    task: str, folder: Path, fields: Sequence[str], *, limit: int | None, allow_missing: bool
) -> tuple[AuthorBlocks, Coverage]:
    """All data sets below ``folder``: ``<name>/<name>_{papers,signatures,clusters}.json``.

    Ids are prefixed with the data set, since two data sets may number papers alike.

    Raises:
        DataError: no data set, a file that is missing or malformed, a signature in no cluster or in
            several.
        CoverageError: a paper that is missing.
    """
    # Any of the three makes a data set: without one of them it is incomplete, and not left out.
    names = sorted({path.parent.name for path in folder.glob("*/*_*.json") if _is_part(path)})
    if not names:
        raise DataError(
            "no data set in S2AND's layout",
            where=str(folder),
            fix="Expected <name>/<name>_papers.json and its signatures and clusters",
        )
    found = Collected()
    blocks: dict[str, dict[str, tuple[str, ...]]] = {}
    paper_of: dict[str, str] = {}
    cluster_of: dict[str, str] = {}
    for name in names:
        signatures = _objects(folder / name / f"{name}_signatures.json")
        truth = _truth(folder / name / f"{name}_clusters.json")
        grouped: dict[str, list[str]] = {}
        paper: dict[str, str] = {}
        for signature, (entry, where) in signatures.items():
            author = entry.get("author_info")
            if not isinstance(author, Mapping):
                raise DataError(f"author_info is {shown(author)}", where=where, fix=FORM)
            block = author.get("given_block") or author.get("block")
            if not isinstance(block, str):
                raise DataError(f"block is {shown(block)}", where=where, fix=FORM)
            grouped.setdefault(as_id(block, "block", where), []).append(signature)
            paper[signature] = as_id(entry.get("paper_id"), "paper_id", where)
        blocks[name] = {}
        # Sorted, so that a limit takes the same blocks whatever order the file has.
        for block in sorted(grouped)[:limit]:
            blocks[name][block] = tuple(f"{name}/{signature}" for signature in grouped[block])
            for signature in grouped[block]:
                if signature not in truth:
                    raise DataError(
                        f"signature {signature} is in no cluster",
                        where=str(folder / name),
                        fix="Complete the clusters",
                    )
                key = f"{name}/{signature}"
                paper_of[key] = f"{name}/{paper[signature]}"
                cluster_of[key] = f"{name}/{truth[signature]}"
        wanted = set(paper_of.values())
        for own, (entry, where) in _objects(folder / name / f"{name}_papers.json").items():
            if (key := f"{name}/{own}") in wanted:
                found.add(key, parts_of(entry, fields, where), where)
    coverage = check_coverage(task, found.documents, found.empty, paper_of.values(), allow_missing)
    whole = folder if limit is None and coverage.complete else None
    return AuthorBlocks(found.documents, blocks, paper_of, cluster_of, whole), coverage


def _is_part(path: Path) -> bool:
    name = path.parent.name
    return path.name in {f"{name}_{part}.json" for part in ("papers", "signatures", "clusters")}


def _objects(path: Path) -> dict[str, tuple[Mapping[str, Any], str]]:
    """The objects of a file by id, each with its place for errors."""
    found = {}
    for key, entry in read_json_object(path).items():
        where = f"{path}, {shown(key)}"
        if not isinstance(entry, Mapping):
            raise DataError(f"the entry is {shown(entry)}", where=where, fix=FORM)
        found[as_id(key, "an id", where)] = entry, where
    return found


def _truth(path: Path) -> dict[str, str]:
    """The cluster of each signature."""
    truth: dict[str, str] = {}
    for cluster, (entry, where) in _objects(path).items():
        members = entry.get("signature_ids")
        if not isinstance(members, list):
            raise DataError(f"signature_ids is {shown(members)}", where=where, fix=FORM)
        for member in members:
            signature = as_id(member, "an entry of signature_ids", where)
            if signature in truth:
                raise DataError(
                    f"signature {signature} stands in the cluster {truth[signature]} already",
                    where=where,
                    fix="Give a signature one cluster",
                )
            truth[signature] = cluster
    return truth


def _odd_blocks(data: AuthorBlocks) -> Iterator[Finding]:
    blocks = {
        f"{field}: {name}": signatures
        for field, own in data.blocks.items()
        for name, signatures in own.items()
    }
    single = [name for name, signatures in blocks.items() if len(signatures) == 1]
    yield finding("blocks of one signature", single, len(blocks))
    one = [n for n, s in blocks.items() if len({data.cluster_of[key] for key in s}) == 1]
    yield finding("blocks of one author", one, len(blocks))
    papers = Counter(data.paper_of[key] for own in blocks.values() for key in own)
    shared = [paper for paper, count in papers.items() if count > 1]
    yield finding("papers with several signatures", shared, len(papers))


def _block_sizes(data: AuthorBlocks) -> Iterator[Share]:
    signatures = {
        field: [key for own in blocks.values() for key in own]
        for field, blocks in data.blocks.items()
    }
    yield Share("blocks", {field: len(blocks) for field, blocks in data.blocks.items()})
    yield Share("signatures", {field: len(keys) for field, keys in signatures.items()})
    yield Share("authors", {f: _distinct(data.cluster_of, keys) for f, keys in signatures.items()})
    yield Share("papers", {f: _distinct(data.paper_of, keys) for f, keys in signatures.items()})


def _distinct(of: Mapping[str, str], keys: Sequence[str]) -> int:
    return len({of[key] for key in keys})
