"""A transformer on one device: loading, adapters, forward pass and pooling."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel

from scirepeval_harness.errors import ModelError
from scirepeval_harness.model.bottleneck import AdapterReader, Reader, adapter_reader
from scirepeval_harness.model.devices import Precision
from scirepeval_harness.model.kinds import Pooling
from scirepeval_harness.model.weights import loading

# Parts of a checkpoint that no vector depends on; base repositories may leave them out.
UNUSED = ("pooler.",)
# Relative change under which an adapter counts as doing nothing.
SAME = 1e-6


class TransformerReplica:
    """One copy of base and adapters on one device. Adapters are loaded when first asked for."""

    def __init__(
        self,
        folder: Path,
        *,
        device: str,
        precision: Precision,
        pooling: Pooling,
        with_adapters: bool,
        compiled: bool,
        where: str,
        reader: Reader | None = None,
    ) -> None:
        self.device = torch.device(device)
        self._dtype: torch.dtype = getattr(torch, precision)
        self._pooling, self._where = pooling, where
        self._loaded: set[str] = set()
        self._model = load_base(folder, where)
        self._forward_context: Callable[[], Any] = nullcontext
        self._adapters: AdapterReader | None = None
        if with_adapters:
            self._adapters = adapter_reader(reader)
            self._adapters.add_adapter_support(self._model, where)
            self._forward_context = self._adapters.no_adapter_warning
        self._model.to(device=self.device, dtype=self._dtype).eval()
        if compiled:
            self._model.compile(dynamic=True)

    def activate(self, name: str | None, folder: Path | None, probe: list[int]) -> None:
        """Switch to an adapter, or to the base alone; loads the adapter the first time.

        Args:
            name: what the adapter is called here; None for the base alone.
            folder: where its files lie; None for the base alone.
            probe: token ids of a short text on which the adapter must change the vector.

        Raises:
            ModelError: the adapter leaves the base's vector as it is.
        """
        if self._adapters is None:
            return
        if name is not None and folder is not None and name not in self._loaded:
            where = f"{self._where}, adapter {folder}"
            self._adapters.add_adapter(self._model, folder, name, where)
            self._model.to(device=self.device, dtype=self._dtype).eval()
            self._check_change(self._adapters, name, probe, where)
            self._loaded.add(name)
        self._adapters.activate(self._model, name)

    def submit(
        self, ids: NDArray[np.int64], mask: NDArray[np.int64]
    ) -> Callable[[], NDArray[np.float32]]:
        """Start the forward pass of a batch (rows, length); the call that returns waits for it."""
        pooled = self._pooled(ids, mask)

        def finish() -> NDArray[np.float32]:
            vectors: NDArray[np.float32] = pooled.cpu().numpy()
            return vectors

        return finish

    def is_out_of_memory(self, error: RuntimeError) -> bool:
        if isinstance(error, torch.OutOfMemoryError):
            return True
        text = str(error).lower()
        return "out of memory" in text or "can't allocate memory" in text

    def free(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.device.type == "mps":
            torch.mps.empty_cache()

    def _pooled(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> torch.Tensor:
        """Vectors (rows, dimensions), float32, on the device."""
        with torch.inference_mode(), self._forward_context():
            weights = self._to_device(mask)
            output = self._model(input_ids=self._to_device(ids), attention_mask=weights)
            return pool(output.last_hidden_state, weights, self._pooling)

    def _to_device(self, array: NDArray[np.int64]) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)

    def _check_change(
        self, adapters: AdapterReader, name: str, probe: list[int], where: str
    ) -> None:
        ids = np.asarray([probe], dtype=np.int64)
        mask = np.ones_like(ids)
        adapters.activate(self._model, None)
        base = self._pooled(ids, mask)
        adapters.activate(self._model, name)
        changed = self._pooled(ids, mask)
        if not float((changed - base).norm()) > SAME * float(base.norm()):
            raise ModelError(
                "the adapter does not change the base's vector",
                where=where,
                fix="Check that the adapter's file is the trained one and fits the base",
            )


def load_base(folder: Path, where: str) -> Any:
    """The base model of a local folder, float32, on the CPU; no code of the folder is run.

    Raises:
        ModelError: unknown architecture, damaged file, or weights that do not fill the model.
    """
    arguments: dict[str, Any] = {
        "local_files_only": True,
        "trust_remote_code": False,
        "weights_only": True,
        "dtype": torch.float32,
        "output_loading_info": True,
    }
    fix = f"Check config.json and the weights in {folder}"
    with loading("the model", where, fix), _quiet_loading():
        try:
            model, info = AutoModel.from_pretrained(
                str(folder), attn_implementation="sdpa", **arguments
            )
        except (ValueError, ImportError) as error:
            if "attention" not in str(error):
                raise
            # A few architectures have no scaled-dot-product attention in transformers.
            model, info = AutoModel.from_pretrained(str(folder), **arguments)
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(UNUSED))
    if missing or info["mismatched_keys"]:
        raise ModelError(
            f"the checkpoint does not fill the model: {len(missing)} tensors are missing, "
            f"{len(info['mismatched_keys'])} have another shape (first: {', '.join(missing[:3])})",
            where=where,
            fix="Save or download the weights again",
        )
    return model


def pool(states: torch.Tensor, mask: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """One float32 vector a row from last hidden states (rows, length, dimensions).

    ``cls`` takes the first token, ``second`` the second, ``mean`` all tokens under the mask.
    """
    if pooling == "mean":
        weights = mask.unsqueeze(-1).float()
        return (states.float() * weights).sum(1) / weights.sum(1)
    return states[:, 0 if pooling == "cls" else 1].float()


def _quiet_loading() -> AbstractContextManager[None]:
    """Drop transformers' lines about heads that a base has and a vector does not need."""
    return lines_kept("transformers.modeling_utils", lambda line: line.levelno > logging.WARNING)


@contextmanager
def lines_kept(logger: str, keep: Callable[[logging.LogRecord], bool]) -> Iterator[None]:
    """Let only some of a library's lines through for the time of the block."""
    of_library = logging.getLogger(logger)
    of_library.addFilter(keep)
    try:
        yield
    finally:
        of_library.removeFilter(keep)
