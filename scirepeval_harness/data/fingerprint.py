"""A checksum of the rows that a task used, so that two scores can be known to share their data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from scirepeval_harness.data.records import (
    AuthorBlocks,
    CitationPools,
    Document,
    LabelledSet,
    RankingSet,
    ReviewerSet,
    TaskData,
)


def fingerprint(data: TaskData) -> str:
    """SHA-256, in hex, over documents (by id) and labels.

    Training rows count in their order, since it decides the folds; documents do not.
    """
    digest = hashlib.sha256()

    def put(*values: Any) -> None:
        digest.update(repr(values).encode())

    def put_documents(documents: Mapping[str, Document]) -> None:
        for key in sorted(documents):
            put(key, documents[key].parts)

    def put_qrels(qrels: Mapping[str, Mapping[str, int]]) -> None:
        for query in sorted(qrels):
            put(query, sorted(qrels[query].items()))

    match data:
        case LabelledSet():
            put_documents(data.documents)
            put(data.classes, data.train_ids, data.test_ids)
            put(data.train_labels.tolist(), data.test_labels.tolist())
        case RankingSet():
            put_documents(data.queries)
            put_documents(data.candidates)
            put_qrels(data.qrels)
        case ReviewerSet():
            put_documents(data.papers)
            put(sorted(data.reviewers.items()))
            put_qrels(data.hard)
            put_qrels(data.soft)
        case CitationPools():
            put_documents(data.documents)
            for name in sorted(data.fields):
                put(name)
                put_qrels(data.fields[name])
        case AuthorBlocks():
            put_documents(data.documents)
            put(sorted((name, sorted(blocks.items())) for name, blocks in data.blocks.items()))
            put(sorted(data.paper_of.items()), sorted(data.cluster_of.items()))
    return digest.hexdigest()
