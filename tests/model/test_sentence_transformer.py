"""Folders of sentence-transformers: the library's own vectors, through the engine's batches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sentence_transformers")
from sentence_transformers import SentenceTransformer

from scirepeval_harness.errors import HarnessError, ModelError
from scirepeval_harness.model.base import BatchEncoder, EncodeOptions, build_model
from scirepeval_harness.model.kinds import SentenceTransformerSpec, TransformerSpec, Weights
from scirepeval_harness.model.registry import resolve_model
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document
from scirepeval_harness.vectors.keys import space_key
from tests.support.tiny_models import TEXTS, save_base
from tests.support.tiny_modules import PROMPTS, save_modules

WORDS = " ".join(TEXTS).split()
DOCUMENTS = tuple(
    Document(str(size), (" ".join(WORDS[:size]), *([" ".join(WORDS[-size:])] if size % 2 else [])))
    for size in (1, 2, 3, 5, 8, 13, 21, 30)
)
CASES = {
    "dense": {},
    "cls": {"pooling": "cls", "kind": "plain"},
    "last": {"pooling": "lasttoken", "kind": "plain"},
    "weighted": {"pooling": "weightedmean"},
    "prompts": {"prompts": PROMPTS},
    "prompt left out of the mean": {"prompts": PROMPTS, "include_prompt": False},
    "router": {"kind": "router"},
    "static": {"kind": "static"},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("modules")
    return {
        name: save_modules(root / str(number), **case)  # type: ignore[arg-type]
        for number, (name, case) in enumerate(CASES.items())
    }


def encoder_of(folder: Path, *, device: str = "cpu", **asked: object) -> BatchEncoder:
    spec = resolve_model(folder, **asked)  # type: ignore[arg-type]
    built = build_model(spec, EncodeOptions(device=device, batch_tokens=64))
    assert isinstance(built, BatchEncoder)
    return built


def encode(encoder: BatchEncoder, role: Role) -> np.ndarray:
    return encoder.encode(DOCUMENTS, role, lambda count: None)


def by_library(folder: Path, role: Role, **arguments: object) -> np.ndarray:
    model = SentenceTransformer(str(folder), device="cpu")
    texts = [" ".join(document.parts) for document in DOCUMENTS]
    encode = model.encode_query if role is Role.QUERY else model.encode_document
    return np.asarray(encode(texts, **arguments))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("role", [Role.QUERY, Role.PROXIMITY])
def test_the_library_s_own_vectors(folders: dict[str, Path], name: str, role: Role) -> None:
    encoder = encoder_of(folders[name])
    np.testing.assert_allclose(encode(encoder, role), by_library(folders[name], role), atol=1e-5)
    assert encoder.stats.documents == len(DOCUMENTS)


def test_a_longest_input_that_nothing_would_heed_is_refused(tmp_path: Path) -> None:
    folder = save_modules(tmp_path / "m", kind="static")
    spec = SentenceTransformerSpec(
        name="m", title="m", base=Weights(path=str(folder)), max_length=8
    )
    with pytest.raises(ModelError, match="no longest input"):
        build_model(spec, EncodeOptions(device="cpu")).identity(Role.QUERY)


@pytest.mark.parametrize("prompts", [None, PROMPTS])
@pytest.mark.parametrize("kind", ["static", "bare"])
@pytest.mark.parametrize("place", ["", "."])
def test_a_model2vec_folder_with_modules_is_the_library_s(
    place: str, kind: str, prompts: dict[str, str] | None, tmp_path: Path
) -> None:
    """As those on the hub are, where model2vec wrote "." for the folder itself. Its own reading
    leaves out unknown words, cuts long texts, and knows no prompts."""
    folder = save_modules(tmp_path / "m", kind=kind, prompts=prompts)
    config = {"model_type": "model2vec", "normalize": kind == "static", "max_length": 3}
    (folder / "config.json").write_text(json.dumps(config))
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["path"] = place
    (folder / "modules.json").write_text(json.dumps(modules))
    encoder = encoder_of(folder)
    said = "StaticEmbedding, Normalize" if kind == "static" else "StaticEmbedding"
    words = prompts["query"] + "{text}" if prompts else None
    prompt = f"the folder's query, {words!r}" if words else "none"
    assert encoder.reading.startswith(  # type: ignore[attr-defined]
        f"read by sentence-transformers: {said}; prompt of a query: {prompt};"
    )
    texts = [
        *(" ".join(document.parts) for document in DOCUMENTS),
        "",
        "\N{SNOWMAN}",
        TEXTS[0] * 90,
    ]
    documents = [Document(str(n), (text,)) for n, text in enumerate(texts)]
    model = SentenceTransformer(str(folder), device="cpu")
    for role, encode in (
        (Role.QUERY, model.encode_query), (Role.PROXIMITY, model.encode_document),
    ):  # fmt: skip
        vectors = encoder.encode(documents, role, lambda count: None)
        np.testing.assert_allclose(vectors, encode(texts), rtol=0, atol=1e-6)
        if prompts is None:
            np.testing.assert_allclose(vectors, model.encode(texts), rtol=0, atol=1e-6)
    with pytest.raises(HarnessError, match="--max-length 3 does not apply"):
        resolve_model(folder, max_length=3)


def test_several_devices_and_kept_dimensions(folders: dict[str, Path]) -> None:
    encoder = encoder_of(folders["dense"], device="cpu,cpu", truncate_dim=5, normalize=True)
    vectors = encode(encoder, Role.QUERY)
    expected = by_library(folders["dense"], Role.QUERY, truncate_dim=5, normalize_embeddings=True)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    with pytest.raises(HarnessError, match="have 12 dimensions, of which 13 cannot be kept"):
        encode(encoder_of(folders["dense"], truncate_dim=13), Role.QUERY)


def test_a_shorter_input_is_cut_as_the_library_cuts_it(folders: dict[str, Path]) -> None:
    encoder = encoder_of(folders["cls"], max_length=6)
    model = SentenceTransformer(str(folders["cls"]), device="cpu")
    model.max_seq_length = 6
    expected = model.encode([" ".join(document.parts) for document in DOCUMENTS])
    np.testing.assert_allclose(encode(encoder, Role.PROXIMITY), expected, atol=1e-5)
    assert encoder.count_tokens(DOCUMENTS, Role.QUERY).max() == 6


def test_a_folder_is_read_by_the_library_unless_a_pooling_is_given(
    folders: dict[str, Path],
) -> None:
    assert isinstance(resolve_model(str(folders["dense"])), SentenceTransformerSpec)
    plain = resolve_model(str(folders["dense"]), pooling="mean")
    assert isinstance(plain, TransformerSpec)
    assert plain.pooling == "mean"
    reading = getattr(encoder_of(folders["prompts"]), "reading")  # noqa: B009
    assert reading == (
        "read by sentence-transformers: Transformer, Pooling, Dense, Normalize; "
        "prompt of a query: the folder's query, 'query: {text}'; "
        "prompt of a document: the folder's document, 'passage: {text}'"
    )


def test_prompts_stand_in_the_identity_and_share_no_vector(folders: dict[str, Path]) -> None:
    keys = {
        space_key(encoder_of(folders["prompts"], prompts=prompts).identity(Role.QUERY))
        for prompts in (None, {"query": "q: {text}"}, {"query": "Q: {text}"}, {"query": "{text}"})
    }
    assert len(keys) == 4
    details = encoder_of(folders["prompts"]).identity(Role.QUERY).details
    assert details["prompt"] == "query: {text}"
    assert details["prompt_name"] == "the folder's query"
    # Roles with one prompt are one way of encoding.
    spaces = {space_key(encoder_of(folders["dense"]).identity(role)) for role in Role}
    assert len(spaces) == 1
    routes = {space_key(encoder_of(folders["router"]).identity(role)) for role in Role}
    assert len(routes) == 2


def test_a_changed_file_of_any_module_is_another_way_of_encoding(tmp_path: Path) -> None:
    folder = save_modules(tmp_path / "m")
    before = encoder_of(folder).identity(Role.QUERY).details
    file = folder / "2_Dense" / "config.json"
    file.write_text(file.read_text(encoding="utf-8") + " ", encoding="utf-8")
    changed = encoder_of(folder).identity(Role.QUERY).details
    assert {name for name in before if before[name] != changed[name]} == {"base_config"}


def broken(folder: Path, name: str, content: object) -> Path:
    (folder / name).write_text(
        content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
    )
    return folder


POOLING = {
    "idx": 1,
    "name": "1",
    "path": "1_Pooling",
    "type": "sentence_transformers.models.Pooling",
}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("modules.json", "[", "modules.json: cannot be read"),
        ("modules.json", {}, "modules.json: not the JSON that sentence-transformers writes"),
        ("modules.json", [], "modules.json: no modules"),
        ("modules.json", [{"type": 3}], "modules.json: a module without type or path"),
        (
            "modules.json",
            [{"type": "sentence_transformers.models.Nothing"}],
            "its first module is Noth",
        ),
        ("modules.json", [{"type": "custom_st.Reader"}], "code of a model's own is not run"),
        (
            "modules.json",
            [{"path": "../other", "type": "sentence_transformers.models.Transformer"}],
            "leaves the folder",
        ),
        (
            "config_sentence_transformers.json",
            {"model_type": "SparseEncoder"},
            "holds a SparseEncoder, which gives no plain vectors",
        ),
        ("config_sentence_transformers.json", {"prompts": ["x"]}, "prompts is not a table of text"),
    ],
)
def test_broken_folders(tmp_path: Path, name: str, content: object, message: str) -> None:
    folder = broken(save_modules(tmp_path / "m"), name, content)
    with pytest.raises(HarnessError, match=message) as caught:
        encode(encoder_of(folder), Role.QUERY)
    assert "\n" not in str(caught.value)


def test_an_unknown_later_module_is_an_error_in_the_library_s_words(tmp_path: Path) -> None:
    folder = save_modules(tmp_path / "m", kind="plain")
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    modules[2]["type"] = "sentence_transformers.models.Nothing"
    with pytest.raises(HarnessError, match=r"the model cannot be loaded .*Nothing"):
        encode(encoder_of(broken(folder, "modules.json", modules)), Role.QUERY)


def test_code_of_the_folder_is_never_run(tmp_path: Path) -> None:
    folder = save_modules(tmp_path / "m", kind="plain")
    trace = tmp_path / "trace"
    (folder / "custom_st.py").write_text(f"open({str(trace)!r}, 'w').close()\n", encoding="utf-8")
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    modules[0]["type"] = "custom_st.Transformer"
    with pytest.raises(HarnessError, match="code of a model's own is not run"):
        encode(encoder_of(broken(folder, "modules.json", modules)), Role.QUERY)
    assert not trace.exists()


def test_weights_of_every_module_must_be_there(tmp_path: Path) -> None:
    folder = save_modules(tmp_path / "m")
    (folder / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(HarnessError, match="weights of the module Dense in 2_Dense"):
        encoder_of(folder).identity(Role.QUERY)


def test_a_folder_of_nothing(tmp_path: Path) -> None:
    base = save_base(tmp_path / "m")
    (base / "config.json").unlink()
    with pytest.raises(HarnessError, match=r"Give one with modules\.json, with config\.json"):
        resolve_model(base)


def test_prompts_that_are_not_used_are_named(tmp_path: Path) -> None:
    passage = save_modules(tmp_path / "m", prompts={"query": "q: ", "passage": "p: ", "x": "y"})
    assert encoder_of(passage).unused_prompts == ("passage",)  # type: ignore[attr-defined]
    given = encoder_of(passage, prompts={"document": "p: {text}"})
    assert given.unused_prompts == ()  # type: ignore[attr-defined]
    plain = encoder_of(passage, pooling="mean", max_length=64)
    assert plain.unused_prompts == ("query", "passage", "x")  # type: ignore[attr-defined]


def test_a_given_prompt_goes_before_the_folder_s(folders: dict[str, Path]) -> None:
    encoder = encoder_of(folders["prompts"], prompts={"query": "Q {title}|{abstract}"})
    paper = Document("1", ("Title", "abstract", "more"))
    assert encoder.text(paper, Role.QUERY) == "Q Title|abstract more"
    assert encoder.text(paper, Role.PROXIMITY) == "passage: Title abstract more"
