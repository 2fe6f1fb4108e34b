"""Ensembles: vectors side by side, their mean, sums of scores; what is kept and refused."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scirepeval_harness as sh
from scirepeval_harness.errors import HarnessError, ModelError
from scirepeval_harness.model.base import EncodeOptions, build_model
from scirepeval_harness.model.ensemble import EnsembleEncoder, EnsembleRanker
from scirepeval_harness.model.kinds import EnsembleSpec
from scirepeval_harness.model.registry import resolve_model
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document
from tests.model.test_static import TABLE, save

DOCUMENTS = [Document("a", ("graphs of",)), Document("b", ("papers",)), Document("c", ())]
Made = Callable[..., Path]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Writes the file of an ensemble beside three folders of static vectors, one of them longer."""
    save(tmp_path / "one", {"model_type": "model2vec"})
    save(tmp_path / "two", {"model_type": "model2vec"}, embeddings=-(TABLE[::-1] ** 2))
    save(tmp_path / "long", {"model_type": "model2vec"}, embeddings=np.hstack([TABLE, TABLE]))

    def write(combine: str, *members: str, more: str = "") -> Path:
        path = tmp_path / "both.toml"
        listed = ", ".join(f'"{member}"' for member in members or ("./one", "./two"))
        path.write_text(
            f'name = "both"\ntitle = "Both"\nkind = "ensemble"\ncombine = "{combine}"\n'
            f"members = [{listed}]\n{more}"
        )
        return path

    return write


def build(path: Path) -> Any:
    return build_model(resolve_model(path), EncodeOptions())


def vectors_of(model: Any) -> np.ndarray:
    return model.encode(DOCUMENTS, Role.PROXIMITY, lambda count: None)


def unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


@pytest.mark.parametrize("normalise", [True, False])
def test_vectors_side_by_side_and_their_mean(made: Made, tmp_path: Path, normalise: bool) -> None:
    more = f"normalise = {str(normalise).lower()}\n"
    one, two = (vectors_of(build(tmp_path / name)) for name in ("one", "two"))
    if normalise:
        one, two = unit(one), unit(two)
    side_by_side = vectors_of(build(made("concatenate", more=more)))
    np.testing.assert_allclose(side_by_side, np.hstack([one, two]), rtol=1e-6)
    mean = vectors_of(build(made("mean", more=more)))
    np.testing.assert_allclose(mean, (one + two) / 2, rtol=1e-6)
    assert side_by_side.dtype == mean.dtype == np.float32


class Scores:
    """A ranker with the scores that it is given."""

    def __init__(self, *scores: float) -> None:
        self.name, self._scores = "scores", scores

    def identity(self, role: Role) -> Any: ...

    def prepare(self, documents: Any) -> None: ...

    def score(self, query: Document, candidates: Any) -> Any:
        return np.array(self._scores)


def test_scores_are_summed_in_standard_deviations_of_each_member() -> None:
    spec = EnsembleSpec(name="e", title="E", members=("a", "b"), combine="scores")
    first, second, alike = (1.0, 2.0, 6.0), (300.0, -100.0, 100.0), (4.0, 4.0, 4.0)
    ranker = EnsembleRanker(spec, [Scores(*one) for one in (first, second, alike)])
    expected = sum((np.array(one) - np.mean(one)) / np.std(one) for one in (first, second))
    np.testing.assert_allclose(ranker.score(DOCUMENTS[0], DOCUMENTS), expected)
    assert EnsembleRanker(spec, [Scores(), Scores()]).score(DOCUMENTS[0], []).shape == (0,)


def test_identity_names_all_members_and_how_they_are_joined(made: Made) -> None:
    models = [
        build(made("concatenate")), build(made("mean")),
        build(made("concatenate", "./two", "./one")),
        build(made("concatenate", "./one", "./long")),
        build(made("concatenate", more="normalise = false\n")),
    ]  # fmt: skip
    details = [json.dumps(dict(model.identity(Role.QUERY).details)) for model in models]
    assert len(set(details)) == len(details)
    assert models[0].identity(Role.QUERY).details["2 model"] == "two"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("mean", "./one", "./long"), "no mean of vectors of other dimensions: one 3, long 6"),
        (("mean", "bm25", "./one"), 'member bm25 has no vectors.*Use combine = "scores"'),
        (("concatenate", "./one", "bm25"), "member bm25 has no vectors"),
        (("scores", "./one", "./both.toml"), "is an ensemble itself"),
        (("scores", "./one", "./nowhere"), "no such file or folder"),
        (("scores", "./one", "bm52"), "unknown model 'bm52'.*bm25"),
        (("scores", "./one"), "members"),
        (("sum", "./one", "./two"), "combine: must be one of concatenate, mean, scores"),
    ],
)
def test_what_cannot_be_joined_is_refused(made: Made, given: Any, words: str) -> None:
    with pytest.raises(HarnessError, match=words):
        vectors_of(build(made(*given)))


def test_dimensions_that_are_known_are_compared_before_anything_is_encoded() -> None:
    class Sized:
        name = "sized"

        def __init__(self, dimensions: int) -> None:
            self.dimensions = dimensions

    spec = EnsembleSpec(name="e", title="E", members=("a", "b"), combine="mean")
    with pytest.raises(ModelError, match="sized 3, sized 4"):
        EnsembleEncoder(spec, [Sized(3), Sized(4)]).identity(Role.QUERY)  # type: ignore[list-item]


class Lines(sh.Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)


TASKS = {"suite": "sample", "tasks": ["sample-related", "sample-topics", "sample-pools"]}


def test_members_keep_their_own_vectors_and_no_other_is_kept(made: Made, tmp_path: Path) -> None:
    lines = Lines()
    cache = tmp_path / "cache"
    alone = sh.evaluate({"one": tmp_path / "one"}, cache=cache, **TASKS)
    spaces = len(list(cache.iterdir()))
    results = sh.evaluate(made("concatenate"), cache=cache, progress=lines, **TASKS)
    assert alone.complete
    assert results.complete
    assert len(list(cache.iterdir())) == spaces + 1, "those of the other member"
    [plan] = [line for line in lines.said if "  plan: " in line]
    counts = re.findall(r"([\d,]+) (?:texts|cached)", plan)
    texts, cached = (int(count.replace(",", "")) for count in counts)
    assert texts == 2 * cached
    again = sh.evaluate(made("mean"), cache=cache, output=tmp_path / "again", **TASKS)
    assert again.complete
    run = json.loads((tmp_path / "again" / "both" / "run.json").read_text())
    assert run["documents_encoded"] == 0


@pytest.mark.parametrize("quantize", [None, "int8"])
def test_a_sum_of_scores_ranks_with_and_without_vectors(
    made: Made, tmp_path: Path, quantize: Any
) -> None:
    """Two of one model rank as it does, bm25 beside it otherwise; probes are left out."""
    if importlib.util.find_spec("wordllama") is None:
        pytest.skip("the package with the weights is not installed")
    chosen = {**TASKS, "cache": tmp_path / "cache", "quantize": quantize}
    one = sh.evaluate("wordllama", **chosen)["wordllama"].scores
    twice = sh.evaluate(made("scores", "wordllama", "wordllama"), **chosen)["both"].scores
    other = sh.evaluate(made("scores", "wordllama", "bm25"), **chosen)["both"].scores
    assert set(twice["task"]) == {"sample-related", "sample-pools"}
    one = one[one["task"] != "sample-topics"]
    assert one["value"].tolist() == pytest.approx(twice["value"].tolist(), abs=1e-9)
    assert other["value"].tolist() != pytest.approx(one["value"].tolist(), abs=0.1)


@pytest.mark.parametrize("combine", ["concatenate", "scores"])
def test_a_look_at_its_results_encodes_nothing(made: Made, tmp_path: Path, combine: str) -> None:
    out, cache, none = tmp_path / "out", tmp_path / "cache", tmp_path / "none"
    sh.evaluate(made(combine), tasks="sample-cite", output=out, cache=cache)
    (task,) = sh.verify(out / "both", cache=cache).tasks
    assert (task.items, task.vectors) == ("agree", "agree")
    (task,) = sh.verify(out / "both", cache=none).tasks
    assert task.vectors.endswith("vectors are not in the store")
    assert not list(none.rglob("*.safetensors"))
