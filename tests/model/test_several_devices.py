"""Several devices of one machine: the same vectors, and each does its share."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.model.base import EncodeOptions
from scirepeval_harness.model.kinds import TransformerSpec
from scirepeval_harness.model.replica import TransformerReplica
from scirepeval_harness.model.transformer import TransformerEncoder
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document

DOCUMENTS = [Document(str(n), (f"coral reef {n}", "ocean " * (n % 17 + 1))) for n in range(120)]


def test_two_replicas_share_the_batches_and_give_the_vectors_of_one(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = TransformerSpec.model_validate(
        {
            "name": "tiny",
            "title": "Tiny",
            "kind": "transformer",
            "base": {"path": str(folders["allenai/specter2_base"])},
            "adapters": {"proximity": {"path": str(folders["allenai/specter2"])}},
        }
    )
    work: Counter[int] = Counter()
    submit = TransformerReplica.submit

    def counted(self: TransformerReplica, ids, mask):  # type: ignore[no-untyped-def]
        work[id(self)] += 1
        return submit(self, ids, mask)

    monkeypatch.setattr(TransformerReplica, "submit", counted)
    vectors = []
    for device in ("cpu", "cpu,cpu"):
        work.clear()
        encoder = TransformerEncoder(
            spec, EncodeOptions(device=device, dtype="float32", batch_tokens=64)
        )
        vectors.append(encoder.encode(DOCUMENTS, Role.PROXIMITY, lambda count: None))
        assert sum(work.values()) == encoder.stats.batches > 20
        assert encoder.stats.documents == 120, "no document is encoded twice"
    assert len(work) == 2
    assert min(work.values()) >= 3, f"one of the two was idle: {sorted(work.values())}"
    np.testing.assert_array_equal(*vectors)
