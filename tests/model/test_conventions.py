"""Objects of sentence-transformers, and of MTEB's EncoderProtocol, as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scirepeval_harness.model.base import EncodeOptions, build_model, in_task
from scirepeval_harness.model.objects import ObjectEncoder
from scirepeval_harness.model.registry import resolve_model
from scirepeval_harness.options import RunOptions
from scirepeval_harness.roles import Role
from scirepeval_harness.run.loop import run
from scirepeval_harness.task.dataset import Document
from scirepeval_harness.task.registry import load_registry

DOCUMENTS = (Document("1", ("Title", "abstract")), Document("2", ("coral reefs",)))
TEXTS = ["Title abstract", "coral reefs"]


def encoder_of(thing: object) -> ObjectEncoder:
    built = build_model(resolve_model(thing, {}), EncodeOptions())
    assert isinstance(built, ObjectEncoder)
    return built


def encode(encoder: ObjectEncoder, role: Role) -> np.ndarray:
    return encoder.encode(DOCUMENTS, role, lambda count: None)


def test_a_sentence_transformer_as_it_is(tmp_path: Path) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    from tests.support.tiny_modules import PROMPTS, save_modules

    folder = save_modules(tmp_path / "m", prompts=PROMPTS)
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    # In the middle of a training, with one frozen part.
    model.train()
    model[0].eval()
    modes = [part.training for part in model.modules()]
    encoder = encoder_of(model)
    for role in Role:
        vectors = encode(encoder, role)
        way = model.encode_query if role is Role.QUERY else model.encode_document
        assert [part.training for part in model.modules()] == modes
        np.testing.assert_allclose(vectors, way(TEXTS), atol=1e-6)
        model.train()
        model[0].eval()
    # One side is one way of encoding; nobody can say that the weights stay what they are.
    identities = [encoder.identity(role) for role in Role]
    assert {identity.details["role"] for identity in identities} == {"query", "document"}
    assert not any(identity.complete for identity in identities)


class Sides:
    """Both ways, and a role: the harness's own convention goes first."""

    def encode(self, texts: list[str], role: str) -> list[list[float]]:
        return [[float(len(role))] for _ in texts]

    def encode_query(self, texts: list[str]) -> list[list[float]]:
        raise AssertionError

    encode_document = encode_query


def test_an_object_that_takes_roles_is_asked_with_roles() -> None:
    assert encode(encoder_of(Sides()), Role.QUERY).tolist() == [[5.0], [5.0]]


class Protocol:
    """As MTEB's EncoderProtocol has it; notes what it is given."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []

    def encode(
        self,
        inputs: Any,
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Any = None,
        **kwargs: Any,
    ) -> np.ndarray:
        batches = list(inputs)
        assert all(isinstance(batch["text"], list) for batch in batches)
        texts = [text for batch in batches for text in batch["text"]]
        side = None if prompt_type is None else prompt_type.value
        self.asked.append((task_metadata.name, task_metadata.type, side))
        return np.array([[len(text), text.count("a"), text.count("e")] for text in texts])


def test_an_encoder_of_mteb_is_given_a_loader_and_prompt_types() -> None:
    thing = Protocol()
    registry = load_registry()
    encoder = encoder_of(thing)
    for task, role in (
        ("sample-search", Role.QUERY),
        ("sample-search", Role.PROXIMITY),
        ("sample-topics", Role.CLASSIFICATION),
    ):
        view = in_task(encoder, registry.task(task))
        assert encode(view, role)[:, 0].tolist() == [14.0, 11.0]
        assert view.identity(role).details["task"] == task
    assert thing.asked == [
        ("sample-search", "Retrieval", "query"),
        ("sample-search", "Retrieval", "document"),
        ("sample-topics", "Classification", None),
    ]


def test_a_run_tells_an_encoder_of_mteb_each_task(tmp_path: Path) -> None:
    thing = Protocol()
    selection = load_registry().select(("sample",), ("sample-search", "sample-related"), ())
    options = RunOptions(output=tmp_path, cache=None)
    [folder] = run([resolve_model(thing, {})], selection, options, {})
    assert json.loads((folder / "run.json").read_text())["status"] == "ok"
    assert {(name, side) for name, _, side in thing.asked} == {
        ("sample-search", "query"),
        ("sample-search", "document"),
        ("sample-related", "document"),
    }
