"""Downloads against a small server on the loopback address that speaks the hub's protocol."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest

from scirepeval_harness.errors import ModelError, OfflineError
from scirepeval_harness.model.kinds import SentenceTransformerSpec, TransformerSpec, Weights
from scirepeval_harness.model.registry import resolve_model
from scirepeval_harness.model.weights import as_read, locate

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = "allenai/specter2_base"


class Hub:
    """One repository with one commit, and a list of the files that were asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.downloaded, self.asked = folder, list[str](), list[str]()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer(body=False)

            def do_GET(self) -> None:
                self.answer(body=True)

            def answer(self, body: bool) -> None:
                hub.asked.append(self.path)
                status, headers, content = hub.reply(self.path)
                self.send_response(status)
                for key, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(key, value)
                self.end_headers()
                if body:
                    self.wfile.write(content)
                    if "/resolve/" in self.path and status == 200:
                        hub.downloaded.append(self.path.rpartition("/")[2])

            def log_message(self, *arguments: object) -> None:
                """Nothing: the test reads ``downloaded``."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reply(self, path: str) -> tuple[int, dict[str, str], bytes]:
        path = path.partition("?")[0]
        if REPO not in path:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        revision = (
            path.partition("/revision/")[2]
            or path.partition("/tree/")[2]
            or path.partition("/resolve/")[2].partition("/")[0]
        )
        if revision not in ("", "main", COMMIT):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        if path.startswith("/api/models/"):
            names = sorted(item.name for item in self.folder.iterdir())
            if "/tree/" in path:  # asked for by huggingface_hub 2
                sizes = {name: (self.folder / name).stat().st_size for name in names}
                rows = [
                    {"type": "file", "path": name, "size": size, "oid": "0" * 40}
                    for name, size in sizes.items()
                ]
                return 200, {}, json.dumps(rows).encode()
            listing = {"id": REPO, "sha": COMMIT, "siblings": [{"rfilename": n} for n in names]}
            return 200, {}, json.dumps(listing).encode()
        file = self.folder / path.rpartition("/")[2]
        if not file.is_file():
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        content = file.read_bytes()
        etag = hashlib.sha256(content).hexdigest()
        return 200, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, content


@pytest.fixture
def hub(folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = tmp_path / "repository"
    folder.mkdir()
    for path in folders[REPO].iterdir():
        (folder / path.name).symlink_to(path)
    for name in ("README.md", "flax_model.msgpack", "tf_model.h5", "model.onnx"):
        (folder / name).write_bytes(b"not wanted")
    server = Hub(folder)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.url)
    # Before huggingface_hub 2 its module of downloads keeps a copy of the address.
    for holder in ("huggingface_hub.file_download", "huggingface_hub.constants"):
        monkeypatch.setattr(
            f"{holder}.HUGGINGFACE_CO_URL_TEMPLATE",
            server.url + "/{repo_id}/resolve/{revision}/{filename}",
            raising=False,
        )
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield server
    server.server.shutdown()
    server.server.server_close()


def find(weights: Weights, *, offline: bool = False) -> tuple[Path, str]:
    spec = TransformerSpec(name="tiny", title="Tiny", kind="transformer", base=weights)
    found = locate(weights, "base", spec, offline=offline)
    return found.folder, found.revision


def test_needed_files_and_nothing_else(hub: Hub, folders: dict[str, Path]) -> None:
    folder, revision = find(Weights(repo=REPO))
    assert revision == COMMIT
    wanted = {path.name for path in folders[REPO].iterdir()}
    assert {path.name for path in folder.iterdir()} == wanted
    assert sorted(hub.downloaded) == sorted(wanted)
    for name in wanted:
        assert (folder / name).read_bytes() == (folders[REPO] / name).read_bytes()


def test_a_second_time_downloads_nothing_and_works_offline(hub: Hub) -> None:
    first = find(Weights(repo=REPO))
    hub.asked.clear()
    assert find(Weights(repo=REPO)) == first
    assert hub.asked == [f"/api/models/{REPO}"]
    assert find(Weights(repo=REPO), offline=True) == first
    assert len(hub.asked) == 1, hub.asked


def test_a_pinned_commit_that_is_here_asks_nothing(hub: Hub) -> None:
    first = find(Weights(repo=REPO, revision=COMMIT))
    hub.server.shutdown()
    hub.server.server_close()
    assert find(Weights(repo=REPO, revision=COMMIT)) == first


def test_no_such_repository(hub: Hub) -> None:
    with pytest.raises(ModelError, match="base allenai/none: the hub has no such repository"):
        find(Weights(repo="allenai/none"))


def test_no_such_revision(hub: Hub) -> None:
    with pytest.raises(ModelError, match=f"base {REPO}@v9: the repository has no such revision"):
        find(Weights(repo=REPO, revision="v9"))


def test_a_repository_without_weights(hub: Hub) -> None:
    (hub.folder / "pytorch_model.bin").unlink()
    with pytest.raises(ModelError, match="the repository has no weights"):
        find(Weights(repo=REPO))


def test_a_repository_with_modules_is_read_by_sentence_transformers_online_and_off(
    hub: Hub,
) -> None:
    (hub.folder / "modules.json").write_text("[]")
    for offline in (False, True):
        read = as_read(resolve_model(f"{REPO}@{COMMIT}", max_length=64), offline=offline)
        assert isinstance(read, SentenceTransformerSpec)
        assert (read.base.repo, read.base.revision, read.max_length) == (REPO, COMMIT, 64)
        assert "modules.json" in read.notes


def test_a_repository_without_modules_is_a_transformer_online_and_off(hub: Hub) -> None:
    spec = resolve_model(REPO)
    assert as_read(spec, offline=False) is spec
    asked = len(hub.asked)
    assert as_read(spec, offline=True) is spec, "that there is no such file is remembered"
    assert len(hub.asked) == asked
    # Of a revision that nobody asked for nothing is known, and the weights say that they lack.
    other = resolve_model(f"{REPO}@v9")
    assert as_read(other, offline=True) is other


def test_a_pooling_or_a_registered_name_settles_the_reading_without_the_hub(hub: Hub) -> None:
    (hub.folder / "modules.json").write_text("[]")
    for spec in (resolve_model(REPO, pooling="mean"), resolve_model("specter2-base")):
        assert as_read(spec, offline=False) is spec
    assert hub.asked == []


def test_a_copy_from_elsewhere_of_which_nobody_knows_is_not_guessed(hub: Hub) -> None:
    find(Weights(repo=REPO))
    spec = resolve_model(REPO)
    with pytest.raises(OfflineError, match="does not say whether the repository has modules"):
        as_read(spec, offline=True)
    # The hub is gone, and so is its answer.
    hub.server.shutdown()
    hub.server.server_close()
    with pytest.raises(OfflineError, match="--pooling"):
        as_read(spec, offline=False)
