"""Author disambiguation in S2AND's layout: papers, signatures and clusters of each data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scirepeval_harness.data.documents import Collected, check_coverage, parts_of
from scirepeval_harness.data.records import AuthorBlocks, Coverage
from scirepeval_harness.data.rows import read_json_object
from scirepeval_harness.errors import DataError


def read_blocks(
    task: str, folder: Path, fields: Sequence[str], *, limit: int | None, allow_missing: bool
) -> tuple[AuthorBlocks, Coverage]:
    """All data sets below ``folder``: ``<name>/<name>_{papers,signatures,clusters}.json``.

    Ids are prefixed with the data set, since two data sets may number papers alike.

    Raises:
        DataError: no data set, a file that is missing or malformed, a signature without cluster.
        CoverageError: a paper that is missing.
    """
    names = sorted(
        path.name for path in folder.glob("*") if (path / f"{path.name}_papers.json").is_file()
    )
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
        signatures = read_json_object(folder / name / f"{name}_signatures.json")
        clusters = read_json_object(folder / name / f"{name}_clusters.json")
        truth = {
            str(signature): str(cluster)
            for cluster, entry in clusters.items()
            for signature in entry["signature_ids"]
        }
        grouped: dict[str, list[str]] = {}
        for signature, entry in signatures.items():
            block = entry["author_info"].get("given_block") or entry["author_info"]["block"]
            grouped.setdefault(str(block), []).append(str(signature))
        blocks[name] = {}
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
                paper_of[key] = f"{name}/{signatures[signature]['paper_id']}"
                cluster_of[key] = f"{name}/{truth[signature]}"
        papers = read_json_object(folder / name / f"{name}_papers.json")
        wanted = set(paper_of.values())
        for paper, entry in papers.items():
            key = f"{name}/{paper}"
            if key in wanted:
                found.add(key, parts_of(entry, fields), str(folder / name))
    coverage = check_coverage(task, found.documents, found.empty, paper_of.values(), allow_missing)
    whole = folder if limit is None and coverage.complete else None
    return AuthorBlocks(found.documents, blocks, paper_of, cluster_of, whole), coverage
