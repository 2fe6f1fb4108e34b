"""Objects that follow another library's convention: how they are recognised, and asked.

Recognised by what they have, not by their class: neither library is imported.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from scirepeval_harness.model.modules import side_of
from scirepeval_harness.roles import Format, Role
from scirepeval_harness.task.spec import TaskSpec

Way = Literal["sides", "mteb"]
"""``sides``: ``encode_query`` and ``encode_document``, as sentence-transformers has them; ``mteb``:
MTEB's ``EncoderProtocol``."""
TASK_TYPES = {
    Format.CLASSIFICATION: "Classification",
    Format.REGRESSION: "Regression",
    Format.PROXIMITY: "Reranking",
    Format.ADHOC_SEARCH: "Retrieval",
}
BATCH = 32


class PromptType(StrEnum):
    """MTEB's, where MTEB itself is not loaded."""

    query = "query"
    document = "document"


@dataclass(frozen=True)
class TaskMetadata:
    """What an encoder may ask of MTEB's metadata of a task, by the same names."""

    name: str
    type: str
    description: str
    prompt: None = None
    modalities: tuple[str, ...] = ("text",)
    languages: tuple[str, ...] = ("eng",)
    eval_langs: tuple[str, ...] = ("eng-Latn",)


def way_of(thing: object) -> Way | None:
    """The convention that an object follows; None for none of these."""
    if isinstance(thing, type):
        return None
    function = getattr(thing, "encode", None)
    try:
        parameters = inspect.signature(function).parameters if callable(function) else {}
    except (TypeError, ValueError):
        parameters = {}
    # First: MTEB's own wrappers of sentence-transformers have both.
    if {"task_metadata", "hf_split", "hf_subset"} <= set(parameters):
        return "mteb"
    if "role" in parameters:
        return None  # it speaks this harness's own convention
    sides = (getattr(thing, name, None) for name in ("encode_query", "encode_document"))
    return "sides" if all(map(callable, sides)) else None


def encode_sides(thing: Any, texts: list[str], role: Role) -> Any:
    """What the object gives for a query's or a document's texts. A model in the middle of its
    training is in its training's mode again afterwards."""
    with _modes_kept(thing):
        return (thing.encode_query if role is Role.QUERY else thing.encode_document)(texts)


def overlong_sides(thing: Any, texts: list[str], role: Role) -> list[bool] | None:
    """Which texts have more tokens, with the object's own prompt, than it reads; None where its
    tokenizer or longest input is not that of a transformer."""
    tokenizer, limit = getattr(thing, "tokenizer", None), getattr(thing, "max_seq_length", None)
    if not callable(tokenizer) or not isinstance(limit, int):
        return None
    prompt = (getattr(thing, "prompts", None) or {}).get(side_of(role)) or ""
    prompted = [prompt + text for text in texts]
    ids = tokenizer(prompted, truncation=True, max_length=limit + 1, padding=False)["input_ids"]
    return [len(row) > limit for row in ids]


def encode_mteb(
    encode: Callable[..., Any], texts: Sequence[str], role: Role, task: TaskSpec | None
) -> Any:
    """What the object gives for a loader of batches ``{"text": [...]}``.

    A query is MTEB's ``query``, what is searched or ranked its ``document``; texts to be classified
    have no prompt type, as in MTEB.
    """
    from torch.utils.data import DataLoader

    rows: Any = [{"text": text} for text in texts]
    name, format = (task.name, task.format) if task else ("unnamed", Format.PROXIMITY)
    types: Any = getattr(sys.modules.get("mteb.types"), "PromptType", PromptType)
    prompt_type = {Role.QUERY: types.query, Role.PROXIMITY: types.document}.get(role)
    with _modes_kept(getattr(encode, "__self__", None)):
        return encode(
            DataLoader(rows, batch_size=BATCH, shuffle=False),
            task_metadata=TaskMetadata(name, TASK_TYPES[format], task.title if task else name),
            hf_split="test",
            hf_subset="default",
            prompt_type=prompt_type,
        )


@contextmanager
def _modes_kept(thing: Any) -> Iterator[None]:
    """Give every part of a torch module its mode (training or not) back."""
    torch = sys.modules.get("torch")
    module = torch is not None and isinstance(thing, torch.nn.Module)
    modes = [(part, part.training) for part in thing.modules()] if module else []
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
