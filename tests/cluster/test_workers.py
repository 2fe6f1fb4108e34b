"""What workers do, called here as a cluster would: the batches and vectors of one machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from scirepeval_harness.cluster.workers import (
    Assignment,
    ChunkEncoder,
    Encoded,
    Window,
    encoder_of,
    settle,
    tokenise_windows,
)
from scirepeval_harness.errors import ModelError, UsageError
from scirepeval_harness.model.base import EncodeOptions
from scirepeval_harness.model.kinds import SentenceTransformerSpec, TransformerSpec
from scirepeval_harness.model.registry import resolve_model
from scirepeval_harness.model.transformer import TransformerEncoder
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document
from tests.support.tiny_models import build_hub_models

DOCUMENTS = [Document(str(n), (f"coral reef {n}", "ocean " * (n % 23 + 1))) for n in range(90)]
ROLES = (Role.PROXIMITY, Role.CLASSIFICATION)
OPTIONS = EncodeOptions(device="cpu", dtype="float32", batch_tokens=96)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> TransformerSpec:
    folders = build_hub_models(tmp_path_factory.mktemp("hub"))
    return TransformerSpec.model_validate(
        {
            "name": "tiny",
            "title": "Tiny",
            "kind": "transformer",
            "base": {"path": str(folders["allenai/specter2_base"])},
            "adapters": {
                "proximity": {"path": str(folders["allenai/specter2"])},
                "classification": {"path": str(folders["allenai/specter2_classification"])},
            },
        }
    )


@pytest.fixture(scope="module")
def assignment(spec: TransformerSpec) -> Assignment:
    here = TransformerEncoder(spec, OPTIONS)
    return Assignment(spec, OPTIONS, {role: dict(here.identity(role).details) for role in ROLES})


def windows(encoder: TransformerEncoder) -> pa.Table:
    """Two orders, one a role, the second in two windows."""
    texts = {role: [encoder.text(item, role) for item in DOCUMENTS] for role in ROLES}
    parts = [(0, ROLES[0], 0, 90), (1, ROLES[1], 0, 50), (1, ROLES[1], 50, 90)]
    return pa.concat_tables(
        [Window(n, role, a, tuple(texts[role][a:b])).table() for n, role, a, b in parts]
    )


def test_vectors_are_those_of_one_machine_to_the_last_bit(
    spec: TransformerSpec, assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = TransformerEncoder(spec, OPTIONS)
    chunks = list(tokenise_windows(windows(here), assignment))
    assert len(chunks) > 10
    assert all(chunk.num_rows == 1 for chunk in chunks)
    # Two workers, every other chunk each: roles and windows come mixed.
    workers = [ChunkEncoder(assignment), ChunkEncoder(assignment)]
    vectors = np.full((2, 90, here.dimensions), np.nan, np.float32)
    documents = 0
    for number, chunk in enumerate(chunks):
        for table in workers[number % 2](chunk):
            for done in Encoded.rows(table):
                assert np.isnan(vectors[done.order, done.places]).all(), "encoded twice"
                vectors[done.order, done.places] = done.vectors
                documents += done.stats.documents
    assert documents == 180
    expected = here.encode(DOCUMENTS, ROLES[0], lambda count: None)
    assert vectors[0].tobytes() == expected.tobytes()
    monkeypatch.setattr("scirepeval_harness.model.token_encoder.WINDOW", 50)
    expected = here.encode(DOCUMENTS, ROLES[1], lambda count: None)
    assert vectors[1].tobytes() == expected.tobytes()
    assert abs(vectors[0] - vectors[1]).max() > 1e-3, "the two roles have an adapter each"


def test_modules_of_sentence_transformers_on_workers(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    from tests.support.tiny_modules import PROMPTS, save_modules

    folder = save_modules(tmp_path / "m", prompts=PROMPTS, kind="router")
    modules = resolve_model(folder, {})
    assert isinstance(modules, SentenceTransformerSpec)
    here = encoder_of(modules, OPTIONS)
    roles = (Role.QUERY, Role.PROXIMITY)
    own = Assignment(modules, OPTIONS, {role: dict(here.identity(role).details) for role in roles})
    worker = ChunkEncoder(own)
    for role in roles:
        texts = tuple(here.text(item, role) for item in DOCUMENTS)
        expected = here.encode(DOCUMENTS, role, lambda count: None)
        vectors = np.full_like(expected, np.nan)
        for chunk in tokenise_windows(Window(0, role, 0, texts).table(), own):
            for table in worker(chunk):
                for done in Encoded.rows(table):
                    vectors[done.places] = done.vectors
        assert vectors.tobytes() == expected.tobytes()


def test_other_files_or_another_version_are_refused(assignment: Assignment) -> None:
    encoder = TransformerEncoder(assignment.spec, OPTIONS)
    chunk = next(tokenise_windows(windows(encoder), assignment))
    other = {role: {**details, "base_weights": "0"} for role, details in assignment.details.items()}
    with pytest.raises(ModelError, match=r"not those of the machine.*\(base_weights\)"):
        list(ChunkEncoder(replace(assignment, details=other))(chunk))
    with pytest.raises(ModelError, match=r"9\.9 here\. Install the same version"):
        list(ChunkEncoder(replace(assignment, version="9.9"))(chunk))


def test_settled_options_leave_nothing_to_a_worker() -> None:
    settled = settle(EncodeOptions(device="cpu"))
    assert settled.dtype == "float32"
    assert settled.batch_tokens == 8_192
    assert settle(settled) == settled
    assert settle(OPTIONS) == OPTIONS


def test_tf32_of_the_workers_is_tokenised_where_there_is_no_card(assignment: Assignment) -> None:
    encoder = TransformerEncoder(assignment.spec, OPTIONS)
    cards = replace(assignment, options=replace(OPTIONS, device="cuda:0", dtype="tf32"))
    plain, other = (list(tokenise_windows(windows(encoder), one)) for one in (assignment, cards))
    assert plain == other
    chunk = plain[0]
    with pytest.raises(UsageError, match="no TF32 products"):
        list(ChunkEncoder(replace(cards, options=replace(OPTIONS, dtype="tf32")))(chunk))
