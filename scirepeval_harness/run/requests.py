"""Which documents of a task are encoded in which role, and in which order."""

from __future__ import annotations

from scirepeval_harness.tasks.dataset import (
    AuthorBlocks,
    CitationPools,
    EncodeRequest,
    LabelledSet,
    RankingSet,
    ReviewerSet,
    TaskData,
)
from scirepeval_harness.tasks.spec import TaskSpec


def requests_of(task: TaskSpec, data: TaskData) -> tuple[EncodeRequest, ...]:
    """The task's documents by role, queries first.

    A paper that is both query and candidate is asked for once, on the query side: the published
    code embeds queries first and never replaces a vector (docs/protocol.md).
    """
    role = task.format.document_role()
    match data:
        case RankingSet():
            only_candidates = (d for key, d in data.candidates.items() if key not in data.queries)
            return (
                EncodeRequest(task.format.query_role(), tuple(data.queries.values())),
                EncodeRequest(role, tuple(only_candidates)),
            )
        case ReviewerSet():
            return (EncodeRequest(role, tuple(data.papers.values())),)
        case LabelledSet() | CitationPools() | AuthorBlocks():
            return (EncodeRequest(role, tuple(data.documents.values())),)
