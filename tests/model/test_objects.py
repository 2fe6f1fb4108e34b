"""Encoder objects given from Python: what they may be, what is kept, what their errors say."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from scirepeval_harness.errors import ModelError, UsageError
from scirepeval_harness.extensions import MODEL_KINDS
from scirepeval_harness.model.base import EncodeOptions, build_model
from scirepeval_harness.model.objects import ObjectEncoder
from scirepeval_harness.model.registry import resolve_model
from scirepeval_harness.options import RunOptions
from scirepeval_harness.roles import Role
from scirepeval_harness.run.loop import run
from scirepeval_harness.run.plan import dry_run
from scirepeval_harness.task.dataset import Document, EncodeRequest
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.vectors.encode import embed
from scirepeval_harness.vectors.store import EmbeddingStore, open_store

DOCUMENTS = [
    Document("a", ("Graphs", "On graphs of papers")),
    Document("b", ("Graphs", "On graphs of papers")),
    Document("c", ("Reefs",)),
]
Rows = list[list[float]]


def letters(text: str) -> list[float]:
    """A vector that hangs on every letter of a text."""
    counts = [float(text.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"]
    return [*counts, float(len(text))]


class Plain:
    """One method and nothing else."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def encode(self, texts: list[str]) -> Rows:
        self.asked.append(texts)
        return [letters(text) for text in texts]


class Named(Plain):
    """Says which vectors it makes."""

    name, title, identity = "counts", "Letter counts", "letters, second form"


class ByRole:
    """Other vectors for each role."""

    def __init__(self) -> None:
        self.roles: list[object] = []

    def encode(self, texts: list[str], role: str) -> Rows:
        self.roles.append(role)
        return [[float(len(text)), float(len(role))] for text in texts]


def encoder_of(thing: object) -> ObjectEncoder:
    built = build_model(resolve_model(thing, {}), EncodeOptions())
    assert isinstance(built, ObjectEncoder)
    return built


def vectors_of(
    thing: object, role: Role = Role.PROXIMITY, store: EmbeddingStore | None = None
) -> np.ndarray:
    request = EncodeRequest(role, tuple(DOCUMENTS))
    with open_store(None) as passing:
        embedded = embed(encoder_of(thing), request, store or passing, lambda count: None)
        return embedded.take([document.id for document in DOCUMENTS])


def run_sample(
    things: Sequence[object], output: Path, *tasks: str, cache: Path | None = None, **more: Any
) -> list[dict[str, Any]]:
    """The run files."""
    selection = load_registry().select(("sample",), tasks or ("sample-cite",), ())
    options = RunOptions(output=output, cache=cache, **more)
    folders = run([resolve_model(thing, {}) for thing in things], selection, options, {})
    return [json.loads((folder / "run.json").read_text()) for folder in folders]


def test_each_distinct_text_once_the_longest_first_and_rows_in_order() -> None:
    plain = Plain()
    vectors = vectors_of(plain)
    assert plain.asked == [["Graphs On graphs of papers", "Reefs"]]
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [letters("Graphs On graphs of papers")] * 2 + [letters("Reefs")]


def test_texts_come_in_modest_slices(tmp_path: Path) -> None:
    plain = Plain()
    many = [Document(str(number), ("x" * (number % 50), str(number))) for number in range(2_500)]
    store = EmbeddingStore(tmp_path)
    request = EncodeRequest(Role.PROXIMITY, tuple(many))
    embedded = embed(encoder_of(plain), request, store, lambda count: None)
    assert [len(texts) for texts in plain.asked] == [1_024, 1_024, 452]
    lengths = [len(text) for texts in plain.asked for text in texts]
    assert lengths[0] == max(lengths)
    assert lengths[-1] <= 6
    taken = embedded.take(["7", "2499"])
    assert taken.tolist() == [letters("x" * 7 + " 7"), letters("x" * 49 + " 2499")]


@pytest.mark.parametrize(
    "encode",
    [
        lambda texts, role: role,
        lambda texts, kind: kind,
        lambda texts, *, role: role,
        lambda texts, batch_size=3, role="none": role,
        lambda texts, role="none": role,
    ],
)
def test_the_role_comes_as_a_plain_text_wherever_it_is_asked_for(
    encode: Callable[..., str],
) -> None:
    seen: list[object] = []

    # The signature of the wrapped function is the one that is read.
    @functools.wraps(encode)
    def noted(*args: Any, **kwargs: Any) -> Rows:
        seen.append(encode(*args, **kwargs))
        return [[1.0]] * len(args[0])

    vectors_of(noted, Role.QUERY)
    assert set(seen) == {"query"}
    assert {type(role) for role in seen} == {str}


def test_a_second_parameter_with_a_default_is_no_role() -> None:
    seen: list[object] = []

    def encode(texts: list[str], batch_size: int = 32, **more: object) -> Rows:
        seen.extend([batch_size, more])
        return [letters(text) for text in texts]

    vectors_of(encode)
    assert seen[:2] == [32, {}]


@pytest.mark.parametrize(
    "form",
    [
        np.asarray,
        lambda rows: np.asarray(rows, dtype=np.float64),
        lambda rows: np.asarray(rows, dtype=np.int16),
        lambda rows: csr_matrix(rows),
        lambda rows: tuple(np.asarray(row) for row in rows),
    ],
)
def test_numbers_of_any_form_become_float32(form: Callable[[Rows], object]) -> None:
    vectors = vectors_of(lambda texts: form([letters(text) for text in texts]))
    assert vectors.dtype == np.float32
    assert vectors[2].tolist() == letters("Reefs")


def test_torch_tensors_on_the_way_of_a_training_process() -> None:
    torch = pytest.importorskip("torch")

    class Module(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(27, 4)
            self.form: Callable[[Any], Any] = lambda tensor: tensor

        def encode(self, texts: list[str]) -> Any:
            return self.form(self.layer(torch.tensor([letters(text) for text in texts])))

    module = Module().train()
    state = torch.random.get_rng_state()
    vectors = vectors_of(module)
    assert vectors.shape == (3, 4)
    for form in (lambda tensor: tensor.bfloat16(), list):
        module.form = form
        np.testing.assert_allclose(vectors_of(module), vectors, rtol=0.02, atol=0.1)
    assert module.training, "its mode is its own"
    assert torch.equal(torch.random.get_rng_state(), state), "nothing is seeded"


def wrong(form: Callable[[Rows], object]) -> str:
    with pytest.raises(ModelError) as caught:
        vectors_of(("mine", lambda texts: form([letters(text) for text in texts])))
    return str(caught.value)


def test_what_is_wrong_with_vectors_is_said_with_the_models_name() -> None:
    assert "vectors of shape (1, 27) for 2 documents" in wrong(lambda rows: rows[1:])
    assert "vectors of shape (2,) for 2 documents" in wrong(lambda rows: [1.0, 2.0])
    nan = wrong(lambda rows: [rows[0], [float("nan")] * 27])
    assert "NaN or infinity" in nan
    assert "model mine, document c" in nan
    assert "NaN or infinity" in wrong(lambda rows: np.full((2, 3), 1e300))
    for form in (
        lambda rows: [rows[0], [1.0]],
        lambda rows: np.asarray([["1"], ["2"]]),
        lambda rows: np.asarray(rows, dtype=complex),
        lambda rows: None,
    ):
        message = wrong(form)
        assert message.startswith("model mine (")
        assert "encode gives no array of numbers" in message


def test_its_own_errors_carry_its_name() -> None:
    def encode(texts: list[str]) -> Rows:
        raise KeyError("weights")

    with pytest.raises(ModelError, match=r"model mine \(.*encode\): KeyError: 'weights'") as caught:
        vectors_of(("mine", encode))
    assert isinstance(caught.value.__cause__, KeyError)


def test_its_own_text() -> None:
    class Titles(Plain):
        def text(self, document: Document, role: str) -> str:
            return f"{role}: {document.parts[0]}"

    titles = Titles()
    vectors_of(titles, Role.QUERY)
    assert sorted(text for texts in titles.asked for text in texts) == [
        "query: Graphs", "query: Reefs",
    ]  # fmt: skip
    titles.text = lambda document, role: None  # type: ignore[assignment, method-assign, return-value]
    with pytest.raises(ModelError, match="text is not a text"):
        vectors_of(titles)


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (Plain, "a class, not an object"),
        (7, "it has no encode"),
        ({"encode": print}, "it has no encode"),
        (lambda: [], "cannot be called with texts"),
        (lambda texts, role, size: [], "cannot be called with texts"),
        (lambda texts, *, size: [], "cannot be called with texts"),
    ],
)
def test_what_cannot_encode_is_refused_before_anything_runs(thing: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve_model(thing, {})


def test_what_is_not_called_though_it_has_the_name() -> None:
    class Holder(Plain):
        class Layer:
            def __call__(self, role: str) -> str:
                return role

        identity = Layer()

    with pytest.raises(ModelError, match="identity is not a text, a mapping, or a method"):
        encoder_of(Holder())


def test_names() -> None:
    spec = resolve_model(Named(), {})
    assert (spec.name, spec.title, spec.kind) == ("counts", "Letter counts", "object")
    assert resolve_model(Plain(), {}).name == "Plain"
    assert resolve_model(letters, {}).name == "letters"
    assert resolve_model(lambda texts: texts, {}).name == "lambda"
    titled = resolve_model(("row", Named()), {})
    assert (titled.name, titled.title) == ("row", "row")
    assert titled.model_dump(mode="json")["object"].endswith(".Named")
    assert "object" not in MODEL_KINDS.names(), "no model file may name it"
    with pytest.raises(UsageError, match="--pooling mean does not apply: object has none"):
        resolve_model(Plain(), {}, pooling="mean")


class TestIdentity:
    def details(self, thing: object, role: Role = Role.QUERY) -> dict[str, str]:
        found = encoder_of(thing).identity(role)
        assert found.complete != ("kept" in found.details)
        return dict(found.details)

    def test_a_text_holds_for_a_role_only_where_roles_differ(self) -> None:
        assert self.details(Named()) == {
            "identity": "letters, second form", "object": f"{__name__}.Named",
        }  # fmt: skip
        roles = ByRole()
        roles.identity = "v1"  # type: ignore[attr-defined]
        assert self.details(roles)["role"] == "query"
        assert self.details(roles, Role.PROXIMITY) != self.details(roles)

    def test_a_mapping_becomes_texts(self) -> None:
        plain = Plain()
        plain.identity = {"commit": "1a2b", "layers": 12}  # type: ignore[attr-defined]
        assert self.details(plain) == {
            "commit": "1a2b", "layers": "12", "object": f"{__name__}.Plain",
        }  # fmt: skip

    def test_a_method_is_asked_for_each_role(self) -> None:
        roles = ByRole()
        roles.identity = lambda role: {"head": role[0]}  # type: ignore[attr-defined]
        assert self.details(roles)["head"] == "q"
        assert "role" not in self.details(roles), "the method says what a role changes"

    def test_none_is_said(self) -> None:
        assert self.details(Plain()) == {
            "object": f"{__name__}.Plain", "kept": "no: the object gives no identity",
        }  # fmt: skip
        plain = Plain()
        plain.identity = ""  # type: ignore[attr-defined]
        assert "kept" in self.details(plain)

    def test_something_else_is_refused(self) -> None:
        plain = Plain()
        plain.identity = lambda role: 3  # type: ignore[attr-defined]
        with pytest.raises(ModelError, match="identity is not a text or a mapping"):
            self.details(plain)


class TestRun:
    def test_with_an_identity_the_next_run_finds_the_vectors(self, tmp_path: Path) -> None:
        first, second = Named(), Named()
        cache = tmp_path / "cache"
        [made] = run_sample([first], tmp_path / "1", cache=cache)
        [again] = run_sample([second], tmp_path / "2", cache=cache)
        assert made["documents_encoded"] == again["documents_cached"] > 0
        assert second.asked == []
        paths = [tmp_path / name / "counts/sample/sample-cite.json" for name in "12"]
        assert paths[0].read_bytes() == paths[1].read_bytes()
        assert json.loads(paths[0].read_text())["model"]["kind"] == "object"

    def test_without_one_nothing_is_kept_between_runs(self, tmp_path: Path) -> None:
        cache = tmp_path / "cache"
        for name in "12":
            plain = Plain()
            [made] = run_sample([plain], tmp_path / name, "sample-cite", "sample-related",
                                cache=cache)  # fmt: skip
            assert made["documents_encoded"] == sum(map(len, plain.asked)) > 0
        assert not list(cache.glob("*/")), "no vectors, though how long scoring took"
        assert made["model"]["roles"]["proximity"]["kept"] == "no: the object gives no identity"

    def test_without_one_a_resumed_run_scores_again(self, tmp_path: Path) -> None:
        run_sample([Plain()], tmp_path / "out")
        plain = Plain()
        [made] = run_sample([plain], tmp_path / "out", "sample-related", existing="resume")
        assert [entry["task"] for entry in made["tasks"]] == ["sample-related"]
        plain.asked.clear()
        run_sample([plain], tmp_path / "out", "sample-related", existing="resume")
        assert plain.asked
        named = Named()
        for _ in range(2):
            named.asked.clear()
            run_sample([named], tmp_path / "named", existing="resume")
        assert named.asked == [], "what says who it is need not be scored again"

    def test_two_objects_of_one_class_do_not_share_vectors(self, tmp_path: Path) -> None:
        def made(sign: float) -> Callable[[list[str]], Rows]:
            return lambda texts: [[1.0, sign * len(text)] for text in texts]

        both = run_sample([("one", made(1.0)), ("two", made(-3.0))], tmp_path)
        assert [record["documents_cached"] for record in both] == [0, 0]
        with pytest.raises(UsageError, match="two models are named 'Plain'"):
            run_sample([Plain(), Plain()], tmp_path / "twice")

    def test_the_numbers_are_those_of_the_same_vectors_in_a_file(self, tmp_path: Path) -> None:
        seen: dict[str, str] = {}

        class Noted(Plain):
            def text(self, document: Document, role: str) -> str:
                seen[document.id] = text = " ".join(document.parts)
                return text

        tasks = ("sample-related", "sample-year")
        run_sample([("object", Noted())], tmp_path / "out", *tasks)
        np.savez(tmp_path / "all.npz", ids=list(seen), vectors=[letters(t) for t in seen.values()])
        run_sample([f"file={tmp_path / 'all.npz'}"], tmp_path / "out", *tasks)
        for task in tasks:
            scores = [
                json.loads((tmp_path / "out" / name / "sample" / f"{task}.json").read_text())
                for name in ("object", "file")
            ]
            assert scores[0]["scores"] == scores[1]["scores"]

    def test_an_object_that_raises_fails_its_task_alone(self, tmp_path: Path) -> None:
        class Weak(ByRole):
            def encode(self, texts: list[str], role: str) -> Rows:
                if role == "proximity":
                    raise RuntimeError("no such head")
                return [letters(text) for text in texts]

        [made] = run_sample([("weak", Weak())], tmp_path, "sample-cite", "sample-year")
        assert {entry["task"]: entry["status"] for entry in made["tasks"]} == {
            "sample-cite": "failed", "sample-year": "ok",
        }  # fmt: skip
        record = json.loads((tmp_path / "weak/sample/sample-cite.json").read_text())
        assert record["error"].startswith("model weak (")
        assert record["error"].endswith("RuntimeError: no such head")

    def test_a_plan_encodes_nothing(self, tmp_path: Path) -> None:
        plain = Plain()
        selection = load_registry().select(("sample",), ("sample-cite",), ())
        options = RunOptions(output=tmp_path / "out", cache=tmp_path / "cache")
        [plan] = dry_run([resolve_model(plain, {})], selection, options)
        assert plan.way == "encode"
        assert sum(space.to_encode for space in plan.spaces) > 0
        assert plain.asked == []
        assert not (tmp_path / "cache").exists()


def test_an_object_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from scirepeval_harness.model.registry import resolve_model\n"
        "from scirepeval_harness.model.base import EncodeOptions, build_model\n"
        "build_model(resolve_model(lambda texts: texts, {}), EncodeOptions())\n"
        "print([name for name in ('torch', 'transformers', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
