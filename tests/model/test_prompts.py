"""Prompts as templates: by role, by side of a search, by task."""

from __future__ import annotations

from pathlib import Path

import pytest

from scirepeval_harness.errors import UsageError
from scirepeval_harness.model import prompts
from scirepeval_harness.model.base import EncodeOptions, build_model, in_task
from scirepeval_harness.model.kinds import TransformerSpec, Weights
from scirepeval_harness.model.registry import load_models, resolve_model
from scirepeval_harness.model.transformer import TransformerEncoder
from scirepeval_harness.options import RunOptions
from scirepeval_harness.results.folder import load_result
from scirepeval_harness.roles import Format, Role
from scirepeval_harness.run.loop import model_warnings, run
from scirepeval_harness.task.dataset import Document
from scirepeval_harness.task.registry import load_registry
from tests.support.tiny_models import save_base

PARTS = ("Title", "First.", "Second.")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{text}", "Title [SEP] First. [SEP] Second."),
        ("q: {text}", "q: Title [SEP] First. [SEP] Second."),
        ("title: {title} | text: {abstract}", "title: Title | text: First. Second."),
        ("{{{title}}}", "{Title}"),
        ("{title} {title}", "Title Title"),
    ],
)
def test_templates(template: str, text: str) -> None:
    assert prompts.fill(prompts.check_template(template), PARTS, " [SEP] ".join(PARTS)) == text


def test_a_prefix_of_any_characters_is_a_template() -> None:
    for prefix in ("query: ", "a {b} c", "{", ""):
        template = prompts.check_template(prompts.with_prefix(prefix))
        assert prompts.fill(template, PARTS, "text") == prefix + "text"
        assert prompts.prefix_of(template) == prefix
    assert prompts.prefix_of("{text} after") == prompts.prefix_of("{title}") == ""


def test_whose_prompt_a_role_gets() -> None:
    given: prompts.Prompts = {"document": "d {text}", "proximity": "p {text}"}
    found = {role: prompts.template_for(given, role) for role in Role}
    assert found == {
        Role.QUERY: None,
        Role.PROXIMITY: "p {text}",
        Role.CLASSIFICATION: "d {text}",
        Role.REGRESSION: "d {text}",
    }
    searched = prompts.in_task({**given, "candidate": "c {text}"}, Format.ADHOC_SEARCH)
    assert prompts.template_for(searched, Role.PROXIMITY) == "c {text}"
    ranked = prompts.in_task({**given, "candidate": "c {text}"}, Format.PROXIMITY)
    assert prompts.template_for(ranked, Role.PROXIMITY) == "p {text}"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["query=q: "], r"--prompt query=q: : no \{text\} in 'q: '"),
        (["query={content}"], r"unknown field \{content\} in '\{content\}'; fields are \{text\}, "),
        (["query={text!r}"], r"unknown field \{text!r\}"),
        (["query={text"], "a brace itself is written twice"),
        (["question={text}"], "not a use with its template. Write USE="),
        (["query"], "not a use with its template"),
        (["query={text}", "query=q {text}"], "given twice"),
    ],
)
def test_prompts_that_are_wrong(given: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        prompts.parse_prompts(given)


def test_models_without_texts_of_their_own_take_no_prompt() -> None:
    known = load_models()
    with pytest.raises(UsageError, match="--prompt, --normalize does not apply: bm25 has none"):
        resolve_model("bm25", known, prompts={"query": "q {text}"}, normalize=True)
    laid = resolve_model("specter2", known, prompts={"query": "q {text}"}, truncate_dim=9)
    assert (laid.name, laid.published_as) == ("specter2 (prompts, truncate_dim 9)", ())
    assert resolve_model("mine=specter2", known, truncate_dim=9).name == "mine"


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> TransformerSpec:
    base = save_base(tmp_path_factory.mktemp("prompts") / "base")
    return TransformerSpec(
        name="m", title="m", base=Weights(path=str(base)), pooling="mean", max_length=16,
        prompts={"query": "q: {text}", "candidate": "c: {text}"},
        task_prompts={"sample-related": {"proximity": "r: {text}"}},
    )  # fmt: skip


def test_a_task_s_own_prompts(spec: TransformerSpec) -> None:
    encoder = build_model(spec, EncodeOptions(device="cpu"))
    assert isinstance(encoder, TransformerEncoder)
    registry, paper = load_registry(), Document("1", ("graphs",))
    texts = {
        (name, role): in_task(encoder, registry.task(name)).text(paper, role)
        for name in ("sample-search", "sample-related", "sample-topics")
        for role in (Role.QUERY, Role.PROXIMITY, Role.CLASSIFICATION)
    }
    assert texts["sample-search", Role.QUERY] == "q: graphs"
    assert texts["sample-search", Role.PROXIMITY] == "c: graphs"
    assert texts["sample-related", Role.PROXIMITY] == "r: graphs"
    assert texts["sample-topics", Role.CLASSIFICATION] == "graphs"


def test_a_model_that_was_trained_on_the_task_is_told(spec: TransformerSpec) -> None:
    encoder = build_model(spec, EncodeOptions(device="cpu"))
    [(suite, task)] = load_registry().select(("sample",), ("sample-search",), ())
    for names in (("sample-search",), ("sample",), ("sample/In-Train",)):
        trained = spec.model_copy(update={"trained_on": names})
        [said] = model_warnings(trained, encoder, suite, task)
        assert said.startswith(f"the model was trained on the training data of {names[0]}: ")
    for spared in (spec, spec.model_copy(update={"trained_on": ("sample/Out-of-Train",)})):
        assert model_warnings(spared, encoder, suite, task) == ()


def test_registered_models_name_columns_that_exist_and_warn_of_them_alone() -> None:
    registry = load_registry()
    suite = registry.suites["scirepeval"]
    trained = {name: spec for name, spec in load_models().items() if spec.trained_on}
    # By the paper and the cards; the bases and SciNCL were trained on citations, which no task is.
    assert set(trained) == {
        "specter2", "specter2-aug2023refresh", "scirepeval-adapters", "scirepeval-ctrl",
    }  # fmt: skip
    for spec in trained.values():
        told = [
            task.name
            for one, task in registry.select(("scirepeval", "mdcr"), (), ())
            if model_warnings(spec, None, one, task)  # type: ignore[arg-type]
        ]
        assert tuple(told) == suite.columns[0].tasks


def test_a_run_scores_each_task_with_its_prompts(spec: TransformerSpec, tmp_path: Path) -> None:
    names = ("sample-search", "sample-related")
    selection = load_registry().select(("sample",), names, ())
    folders = {}
    for name, one in {
        "m": spec,
        "bare": spec.model_copy(update={"name": "bare", "prompts": {}, "task_prompts": {}}),
    }.items():
        options = RunOptions(output=tmp_path / "out", cache=tmp_path / "cache", device="cpu")
        [folders[name]] = run([one], selection, options, {})
    record, bare = (load_result(folders[name]) for name in ("m", "bare"))
    prompt = {
        (name, role): details.get("prompt")
        for name, task in record.tasks.items()
        for role, details in task.model.roles.items()
    }
    assert prompt == {
        ("sample-search", "query"): "q: {text}",
        ("sample-search", "proximity"): "c: {text}",
        ("sample-related", "proximity"): "r: {text}",
    }
    for name in names:
        assert record.tasks[name].signature != bare.tasks[name].signature
    # Nothing is encoded twice, and nothing shared: what was encoded ahead is what was scored.
    assert record.run.documents_cached == bare.run.documents_cached == 0
