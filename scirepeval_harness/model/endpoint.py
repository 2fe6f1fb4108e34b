"""Vectors from a server in the OpenAI form. The one module that touches ``httpx``.

A run that was paid for is never paid for twice: each answered batch is handed out at once, so that
the store has it, and after an error or an interrupt those that are on their way are waited for.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from scirepeval_harness.errors import HarnessError, ModelError, OfflineError, UsageError
from scirepeval_harness.model.base import (
    Advance,
    EncodeOptions,
    Identity,
    Prompted,
    Vectors,
    join_parts,
)
from scirepeval_harness.model.engine import EncodeStats
from scirepeval_harness.model.kinds import EndpointSpec
from scirepeval_harness.model.prompts import prompted, template_for
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document

# English through the tokenizers of today; only an estimate of tokens and cost hangs on it.
CHARACTERS_A_TOKEN = 4.0
KEY_VARIABLE = "OPENAI_API_KEY"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Answers that another attempt may better; those of 500 and above too.
PASSING = (408, 409, 425, 429)
# Seconds before the second attempt, twice as many before each further one, and the most.
BACKOFF, LONGEST_BACKOFF = 1.0, 60.0
# A server that asks for more is given up: a run must not stand still for a day without a word.
LONGEST_WAIT = 300.0
FIXES = {
    400: "Lower batch_texts in the model file, or check model and parameters",
    401: "Check the key",
    403: "Check the key and what it may use",
    404: "Check URL and model",
    413: "Lower batch_texts in the model file",
    422: "Lower batch_texts in the model file, or check model and parameters",
}
Answered = tuple[NDArray[np.intp], Vectors]


class Embedding(BaseModel, strict=True):
    """One vector of an answer and the place of its text in the request."""

    index: int | None = None
    embedding: list[FiniteFloat] = Field(min_length=1)


class Used(BaseModel, strict=True):
    """The tokens that an answer was counted at."""

    total_tokens: int | None = None
    prompt_tokens: int | None = None


class Answer(BaseModel, strict=True):
    """What is read of an answer; servers add fields of their own."""

    data: list[Embedding]
    usage: Used | None = None


class Pace:
    """Lets requests go at most so often, and none before a time that the server named."""

    def __init__(self, per_minute: float | None) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def hold(self, seconds: float) -> None:
        """Let no request go for so long."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def wait(self, stop: threading.Event) -> bool:
        """Wait for the next turn; False where ``stop`` came first."""
        while not stop.is_set():
            with self._lock:
                now = time.monotonic()
                left = self._next - now
                if left <= 0:
                    self._next = now + self._gap
                    return True
            # Asked again afterwards: another thread may have been told to wait longer.
            stop.wait(left)
        return False


class EndpointEncoder(Prompted):
    """Encodes documents on a server; satisfies :class:`~.base.BatchEncoder` and
    :class:`~.base.Metered`.

    ``stats`` counts answered requests as batches, and the tokens that the server counted.
    """

    _spec: EndpointSpec
    cacheable = True
    devices = ("server",)

    def __init__(self, spec: EndpointSpec, options: EncodeOptions) -> None:
        self.name, self.price = spec.name, spec.price
        self.stats = EncodeStats()
        self._spec, self._offline = spec, options.offline
        self._where = f"model {spec.name}"
        self._pace = Pace(spec.requests_per_minute)
        self._lock = threading.Lock()
        self._dimensions = spec.dimensions
        self._key: str | None = None
        # After all attempts of one request failed: each further task asks once and does not wait.
        self._given_up = False

    @property
    def hardware(self) -> str:
        """The server: what a rate of encoding was measured on."""
        return f"{self._spec.model} at {self._spec.url}"

    def identity(self, role: Role) -> Identity:
        """What is asked of which server; which weights answer, nobody can see from here."""
        spec = self._spec
        details = {
            "endpoint": spec.url,
            "endpoint_model": spec.model,
            "endpoint_revision": spec.revision or "unknown: the server's own",
            "separator": spec.separator,
            **{f"parameter {key}": str(value) for key, value in spec.parameters.items()},
        }
        if spec.dimensions is not None:
            details["dimensions"] = str(spec.dimensions)
        if template := template_for(spec.prompts, role):
            details["prompt"] = template
        return Identity(self.name, role, details)

    def text(self, document: Document, role: Role) -> str:
        """The non-empty parts joined by the separator of the model file, in the role's prompt."""
        # Servers refuse an empty text; a blank is the nearest that they take.
        joined = join_parts(document.parts, self._spec.separator)
        return prompted(self._spec.prompts, role, document.parts, joined) or " "

    def prepare(self, documents: Sequence[Document]) -> None:
        """Nothing: a vector depends on its text alone."""

    def count_tokens(self, documents: Sequence[Document], role: Role) -> NDArray[np.int64]:
        """An estimate by characters: only the server has the tokenizer."""
        lengths = [len(self.text(document, role)) for document in documents]
        return np.ceil(np.array(lengths) / CHARACTERS_A_TOKEN).astype(np.int64)

    def encode(self, documents: Sequence[Document], role: Role, advance: Advance) -> Vectors:
        """Vectors (len(documents), dimensions), float32, in the order given.

        Raises:
            ModelError, OfflineError, UsageError: see :meth:`encode_batches`.
        """
        vectors: Vectors = np.empty((len(documents), self._dimensions or 0), dtype=np.float32)
        for rows, values in self.encode_batches(documents, role):
            if values.shape[1] != vectors.shape[1]:
                vectors = np.empty((len(documents), values.shape[1]), dtype=np.float32)
            vectors[rows] = values
            advance(len(rows))
        return vectors

    def encode_batches(self, documents: Sequence[Document], role: Role) -> Iterator[Answered]:
        """Positions in ``documents`` and their vectors, batch by batch as the server answers.

        Raises:
            ModelError: the server refuses, or answers something else than one finite vector of
                one length a text.
            OfflineError: it does not answer, or ``--offline`` is set.
            UsageError: the environment variable that the model file names holds no key.
        """
        if not documents:
            return
        if self._offline:
            fix = "Leave the option out, or use the cache of an earlier run"
            raise OfflineError("an endpoint, and --offline is set", where=self._where, fix=fix)
        self._key = self._read_key()
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        size, total = self._spec.batch_texts, len(documents)
        left = deque(
            np.arange(start, min(start + size, total), dtype=np.intp)
            for start in range(0, total, size)
        )
        stop = threading.Event()
        failure: BaseException | None = None
        waiting: set[Future[Answered]] = set()
        with (
            httpx.Client(headers=headers, timeout=self._spec.timeout) as client,
            ThreadPoolExecutor(self._spec.concurrency, thread_name_prefix="endpoint") as pool,
        ):
            try:
                while left or waiting:
                    while left and len(waiting) < self._spec.concurrency:
                        rows = left.popleft()
                        texts = [self.text(documents[row], role) for row in rows.tolist()]
                        waiting.add(pool.submit(self._batch, client, rows, texts, stop))
                    done: set[Future[Answered]] = set()
                    try:
                        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    except KeyboardInterrupt as interrupt:
                        failure = failure or interrupt  # what is on its way is paid: wait for it
                    for future in done:
                        if (error := future.exception()) is None:
                            yield future.result()
                        failure = failure or error
                    if failure is not None:
                        stop.set()
                        left.clear()
            finally:
                stop.set()
        if failure is not None:
            raise failure

    def usage(self) -> dict[str, float]:
        """Answered requests and tokens so far, and their price where it is known."""
        counted: dict[str, float] = {"requests": self.stats.batches, "tokens": self.stats.tokens}
        if self.price is not None:
            counted["usd"] = round(self.stats.tokens * self.price / 1e6, 6)
        return counted

    def _batch(
        self,
        client: httpx.Client,
        rows: NDArray[np.intp],
        texts: Sequence[str],
        stop: threading.Event,
    ) -> Answered:
        body: dict[str, Any] = {
            "model": self._spec.model,
            "input": texts,
            "encoding_format": "float",
            **self._spec.parameters,
        }
        if self._spec.dimensions is not None:
            body["dimensions"] = self._spec.dimensions
        attempts = 1 if self._given_up else self._spec.attempts
        problem: HarnessError | None = None
        for attempt in range(attempts):
            if attempt:
                # Not all at the same moment: that is what the server could not stand.
                most = min(BACKOFF * 2.0 ** (attempt - 1), LONGEST_BACKOFF)
                stop.wait(random.uniform(most / 2, most))
            if not self._pace.wait(stop):
                break
            try:
                response = client.post(f"{self._spec.url}/embeddings", json=body)
            except httpx.TransportError as error:
                said = str(error) or "no answer"
                problem = OfflineError(
                    f"the server does not answer ({type(error).__name__}: {said})",
                    where=self._where,
                    fix="Check the URL, or raise timeout in the model file",
                )
                continue
            problem = self._refusal(response)
            if problem is None:
                answer = self._answer(response)
                if answer is not None:
                    self._given_up = False
                    return rows, self._vectors(answer, texts)
                problem = self._wrong("the answer is cut off")
        self._given_up = not stop.is_set()
        raise problem or self._wrong("stopped before it was asked")

    def _refusal(self, response: httpx.Response) -> ModelError | None:
        """What the server says instead of vectors; raised at once where no attempt will better it.

        None for an answer.
        """
        status = response.status_code
        if status == 200:
            return None
        error = ModelError(
            f"the server answers {status}: {self._words_of(response)}",
            where=self._where,
            fix=FIXES.get(status, "Run again; what is answered is kept"),
        )
        if status not in PASSING and status < 500:
            raise error
        seconds = retry_after(response.headers.get("Retry-After"))
        if seconds > LONGEST_WAIT:
            fix = "Run again then; what is answered is kept"
            problem = f"the server asks to wait {seconds:.0f} s ({status})"
            raise ModelError(problem, where=self._where, fix=fix)
        self._pace.hold(seconds)
        return error

    def _answer(self, response: httpx.Response) -> Answer | None:
        """The answer's fields; None where its JSON ends too early, which may pass."""
        try:
            return Answer.model_validate_json(response.content)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)[0]
            begun = response.content.lstrip()[:1] == b"{"
            if found["type"] == "json_invalid" and begun:
                return None
            if found["type"] == "json_invalid":
                problem = f"the answer is no JSON: {self._words_of(response)}"
            else:
                place = ".".join(str(part) for part in found["loc"])
                problem = f"the answer has not the OpenAI form: {place}: {found['msg']}"
            raise self._wrong(problem) from error

    def _vectors(self, answer: Answer, texts: Sequence[str]) -> Vectors:
        """The vectors (len(texts), dimensions) of an answer, in the order of the texts."""
        self._count(answer, texts)
        rows = answer.data
        if len(rows) != len(texts):
            raise self._wrong(f"{len(rows)} vectors for {len(texts)} texts")
        # Some servers number nothing: then the order is that of the request, as the form says.
        if not all(row.index is None for row in rows):
            places = {row.index: row for row in rows}
            if set(places) != set(range(len(texts))):
                raise self._wrong("the answer does not number each text once")
            rows = [places[place] for place in range(len(texts))]
        lengths = {len(row.embedding) for row in rows}
        with self._lock:
            expected = self._dimensions = self._dimensions or min(lengths)
        if lengths != {expected}:
            other = min(lengths - {expected})
            raise self._wrong(f"vectors of {other} dimensions beside {expected}")
        # Beyond float32 becomes infinity, which is an error where vectors enter the store.
        with np.errstate(over="ignore"):
            return np.array([row.embedding for row in rows], dtype=np.float64).astype(np.float32)

    def _count(self, answer: Answer, texts: Sequence[str]) -> None:
        """Also of an answer that is refused afterwards: it is paid all the same."""
        used = answer.usage or Used()
        guess = int(sum(len(text) for text in texts) / CHARACTERS_A_TOKEN)
        tokens = next((n for n in (used.total_tokens, used.prompt_tokens) if n is not None), guess)
        with self._lock:
            self.stats.batches += 1
            self.stats.documents += len(texts)
            self.stats.tokens += tokens
            self.stats.padded_tokens += tokens

    def _read_key(self) -> str | None:
        """The key, if there is one for this server.

        Raises:
            UsageError: the variable that the model file names is not set, or holds no key.
        """
        named, parts = self._spec.key_variable, urlsplit(self._spec.url)
        if named is None and parts.scheme != "https" and parts.hostname not in LOOPBACK:
            return None  # a key of another server, in the clear, to whoever listens
        variable = named or KEY_VARIABLE
        key = os.environ.get(variable, "").strip()
        if named is not None and not key:
            problem = f"the environment variable {variable} is not set"
            raise UsageError(problem, where=self._where, fix="Set it to the server's key")
        # Checked here, because the library's own error would print the key.
        if not (key.isascii() and key.isprintable()):
            problem = f"the environment variable {variable} holds no key"
            raise UsageError(problem, where=self._where, fix="Give printable ASCII characters")
        return key or None

    def _words_of(self, response: httpx.Response) -> str:
        """The beginning of what the server says, without the key, which some repeat."""
        words = " ".join(response.text[:4_000].split())
        return (words.replace(self._key, "***") if self._key else words)[:200] or "nothing"

    def _wrong(self, problem: str) -> ModelError:
        fix = "Check that URL and model serve embeddings in the OpenAI form"
        return ModelError(problem, where=self._where, fix=fix)


def retry_after(value: str | None) -> float:
    """Seconds of a ``Retry-After`` header, which is a number or a date; 0 for what is neither."""
    try:
        return max(0.0, float(value or 0))
    except ValueError:
        pass
    try:
        then = parsedate_to_datetime(value or "")
    except ValueError:
        return 0.0
    # A date without a zone is one of UTC, as HTTP says.
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())
