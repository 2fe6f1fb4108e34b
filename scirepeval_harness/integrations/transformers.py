"""A callback for the trainer of transformers, and a transformers model as one that encodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import TrainerCallback

from scirepeval_harness.integrations.monitor import NANO, Monitor, undisturbed
from scirepeval_harness.model.base import join_parts
from scirepeval_harness.model.replica import pool

if TYPE_CHECKING:
    from scirepeval_harness.model.kinds import Pooling
    from scirepeval_harness.roles import Role
    from scirepeval_harness.task.dataset import Document


class PooledModel:
    """A transformers model in memory with its tokenizer, as an object with ``encode``.

    Texts are joined and cut as the protocol has it: fields with the separator token between them,
    no token types, at most ``max_length`` tokens, the last hidden state of the model without its
    head. Vectors are float32 whatever the weights are.

    Example:
        >>> from scirepeval_harness.integrations import PooledModel
        >>> PooledModel.__name__
        'PooledModel'
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        pooling: Pooling = "mean",
        max_length: int = 512,
        batch_size: int = 32,
    ) -> None:
        self.name = type(model).__name__.lower()
        # What a head adds to the backbone is of its task alone.
        self._model, self._tokenizer = getattr(model, "base_model", model), tokenizer
        self._pooling, self._batch_size = pooling, batch_size
        self._max_length = min(max_length, tokenizer.model_max_length)
        self._between = f" {tokenizer.sep_token or tokenizer.eos_token or ''} "

    def text(self, document: Document, role: Role) -> str:
        """The document's fields, with the separator token between them."""
        return join_parts(document.parts, self._between)

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Vectors (texts, dimensions), float32, in the order given."""
        rows = [
            self._batch(texts[start : start + self._batch_size])
            for start in range(0, len(texts), self._batch_size)
        ]
        return np.concatenate(rows)

    @torch.no_grad()
    def _batch(self, texts: list[str]) -> NDArray[np.float32]:
        inputs = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self._max_length,
            return_tensors="pt", return_token_type_ids=False, padding_side="right",
        ).to(self._model.device)  # fmt: skip
        states = self._model(**inputs).last_hidden_state
        pooled = pool(states, inputs["attention_mask"], self._pooling)
        return np.asarray(pooled.float().cpu().numpy(), dtype=np.float32)


class TrainingCallback(TrainerCallback):
    """Scores of the model in training every so many steps, logged with the trainer's own numbers.

    Keys are ``eval_NAME_KEY`` with the name of the suite. It goes to the trainer that it is made
    with: ``trainer.add_callback(TrainingCallback(trainer, every=500))``. In a run of several
    processes the first one scores; weights that are spread over processes (ZeRO-3, FSDP) cannot be
    scored.

    Args:
        trainer: whose model is scored, and which logs.
        every: steps of the optimiser; the end of the training is scored too.
        encoder: from model and tokenizer to an object with ``encode``; None for the model itself
            where it has such a method, else `PooledModel` with ``pooling`` and ``max_length``.
        suite: as for `Monitor`, like all others.

    Raises:
        ValueError: ``every`` is less than 1.

    Example:
        >>> from scirepeval_harness.integrations import TrainingCallback
        >>> TrainingCallback(None, every=100, suite="sample", tasks="sample-search").last is None
        True
    """

    def __init__(
        self,
        trainer: Any,
        suite: Any = NANO,
        *,
        every: int = 500,
        encoder: Callable[[Any, Any], Any] | None = None,
        pooling: Pooling = "mean",
        max_length: int = 512,
        batch_size: int = 32,
        **what: Any,
    ) -> None:
        if every < 1:
            raise ValueError(f"every is {every}, but is a number of steps")
        self._trainer, self._every = trainer, every
        self._encoder = encoder or (
            lambda model, tokenizer: (
                model
                if hasattr(model, "encode")
                else PooledModel(
                    model, tokenizer, pooling=pooling, max_length=max_length, batch_size=batch_size
                )
            )
        )
        self.monitor = Monitor(suite, **what)
        self.last: int | None = None
        """The step that was scored last."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Score the model where the step is one of those that were asked for."""
        if state.global_step % self._every == 0:
            self._score(state, control, **kwargs)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Score the model as it is in the end."""
        if self.last != state.global_step:
            self._score(state, control, **kwargs)

    def _score(
        self, state: Any, control: Any, model: Any, processing_class: Any = None, **_: Any
    ) -> None:
        self.last = state.global_step
        if not state.is_world_process_zero:
            return
        with undisturbed(model):
            found = self.monitor(self._encoder(model, processing_class), f"step-{self.last}")
        # Logging ends the trainer's own wish to log: the loss of this step would be lost.
        wish = control.should_log
        self._trainer.log({f"eval_{self.monitor.name}_{key}": v for key, v in found.items()})
        control.should_log = wish
