"""A transformer on one device: loading, adapters, forward pass and pooling."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel

from scirepeval_harness.errors import ModelError
from scirepeval_harness.model.bottleneck import AdapterReader, Reader, adapter_reader
from scirepeval_harness.model.devices import CARD_PRODUCTS, Precision
from scirepeval_harness.model.kinds import Pooling
from scirepeval_harness.model.weights import loading

# Parts of a checkpoint that no vector depends on; base repositories may leave them out.
UNUSED = ("pooler.",)
# What old checkpoints hold besides weights.
BUFFERS = frozenset({"bias", "inv_freq", "masked_bias", "position_ids", "token_type_ids"})
# Relative change under which an adapter counts as doing nothing.
SAME = 1e-6
# What the library's tokens come with besides the tokens, the same for every batch of a role.
FEATURES = ("modality", "prompt_length", "task")


class DeviceReplica(ABC):
    """A model on one device, whatever it is; satisfies :class:`~.engine.Replica`."""

    def __init__(
        self,
        *,
        device: str,
        precision: Precision,
        truncate_dim: int | None,
        normalize: bool,
        where: str,
    ) -> None:
        self._where = where
        self.device = torch.device(device)
        self._precision: Precision = precision
        # TF32 is a way to multiply float32 numbers and no type of its own.
        self._dtype: torch.dtype = getattr(torch, "float32" if precision == "tf32" else precision)
        self._truncate_dim, self._normalize = truncate_dim, normalize

    @abstractmethod
    def _pooled(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> torch.Tensor:
        """Vectors (rows, dimensions) of a batch (rows, length), on the device."""

    def submit(
        self, ids: NDArray[np.int64], mask: NDArray[np.int64]
    ) -> Callable[[], NDArray[np.float32]]:
        """Start the forward pass of a batch (rows, length); the call that returns waits for it."""
        card = self.device.type == "cuda"
        products = CARD_PRODUCTS.of(self._precision) if card else nullcontext()
        with torch.inference_mode(), products:
            pooled = self._pooled(ids, mask).float()
            # In this order, as sentence-transformers does: the kept dimensions get length 1.
            if self._truncate_dim is not None:
                pooled = pooled[:, : self._kept(pooled.shape[1])]
            if self._normalize:
                pooled = torch.nn.functional.normalize(pooled, dim=1)

        def finish() -> NDArray[np.float32]:
            vectors: NDArray[np.float32] = pooled.cpu().numpy()
            return vectors

        return finish

    def _kept(self, dimensions: int) -> int:
        assert self._truncate_dim is not None
        if self._truncate_dim > dimensions:
            raise ModelError(
                f"the vectors have {dimensions} dimensions, of which {self._truncate_dim} cannot "
                "be kept",
                where=self._where,
                fix="Give a smaller --truncate-dim",
            )
        return self._truncate_dim

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

    def _to_device(self, array: NDArray[np.int64]) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)


class TransformerReplica(DeviceReplica):
    """One copy of base and adapters on one device. Adapters are loaded when first asked for."""

    def __init__(
        self,
        folder: Path,
        *,
        device: str,
        precision: Precision,
        pooling: Pooling,
        truncate_dim: int | None = None,
        normalize: bool = False,
        with_adapters: bool,
        compiled: bool,
        where: str,
        reader: Reader | None = None,
    ) -> None:
        super().__init__(
            device=device,
            precision=precision,
            truncate_dim=truncate_dim,
            normalize=normalize,
            where=where,
        )
        self._pooling = pooling
        self._loaded: set[str] = set()
        self._model = load_base(folder, where)
        if pooling in ("cls", "second") and _is_causal(self._model):
            raise ModelError(
                f"pooling {pooling} takes a token that sees nothing of the text after it: each "
                "token of this model sees only those before it",
                where=where,
                fix="Use --pooling last, or mean",
            )
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

    def _pooled(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> torch.Tensor:
        """Vectors (rows, dimensions), float32, on the device."""
        with torch.inference_mode(), self._forward_context():
            weights = self._to_device(mask)
            output = self._model(input_ids=self._to_device(ids), attention_mask=weights)
            return pool(output.last_hidden_state, weights, self._pooling)

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


class ModulesReplica(DeviceReplica):
    """A folder of sentence-transformers as the library makes it, run on tokens that are given."""

    def __init__(
        self,
        folder: Path,
        *,
        device: str,
        precision: Precision,
        max_length: int | None,
        truncate_dim: int | None,
        normalize: bool,
        compiled: bool,
        where: str,
    ) -> None:
        super().__init__(
            device=device,
            precision=precision,
            truncate_dim=truncate_dim,
            normalize=normalize,
            where=where,
        )
        self._model = load_modules(folder, device, max_length, where)
        self._model.to(device=self.device, dtype=self._dtype).eval()
        if compiled:
            self._model.compile(dynamic=True)
        self._side, self._static = "document", False
        self._extra: dict[str, Any] = {}

    def activate(self, side: str, prefix: str, text: str, ids: list[int]) -> None:
        """Switch to a side, ``query`` or ``document``, with the words in front of its texts.

        Args:
            text: a text, and ``ids`` its tokens behind the prefix as the engine makes them.

        Raises:
            ModelError: the library makes other tokens of it.
        """
        features = self._model.preprocess([text], prompt=prefix or None, task=side)
        if features["input_ids"].flatten().tolist() != ids:
            raise ModelError(
                "the tokens are not those that sentence-transformers makes of a text",
                where=self._where,
                fix="Load it with sentence-transformers and give the object to evaluate",
            )
        self._side, self._static = side, "offsets" in features
        # Some models leave the prompt out of their mean, for which they must know its length.
        self._extra = {name: features[name] for name in FEATURES if name in features}

    def _pooled(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> torch.Tensor:
        features: dict[str, Any]
        if self._static:
            starts = np.cumsum(mask.sum(1)) - mask.sum(1)
            features = {"input_ids": ids[mask.astype(bool)], "offsets": starts}
        else:
            features = {"input_ids": ids, "attention_mask": mask}
        features = {name: self._to_device(array) for name, array in features.items()}
        done = self._model(features | self._extra, task=self._side)
        vectors: torch.Tensor = done["sentence_embedding"]
        return vectors


def load_modules(folder: Path, device: str, max_length: int | None, where: str) -> Any:
    """The library's model of a local folder; no code of the folder is run.

    The folder's modules have passed :func:`~.modules.read_folder`: the library itself would import
    any class that a local folder names.

    Raises:
        ModelError: whatever the library finds wrong.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Transformer

    with (
        loading("the model", where, "Check modules.json and each module's files"),
        _quiet_loading(),
    ):
        model = SentenceTransformer(
            str(folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"dtype": torch.float32},
        )
    for module in model.modules():
        if max_length is not None and isinstance(module, Transformer):
            module.max_seq_length = max_length
    return model


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
    unused: tuple[str, ...] = UNUSED
    if hasattr(model, "encoder") and hasattr(model, "decoder"):
        # A vector needs the encoder alone, and some checkpoints hold nothing else.
        model, unused = model.get_encoder(), (*UNUSED, "decoder.")
    if getattr(model.config, "use_cache", False):
        model.config.use_cache = False  # keys and values of a decoder, which would fill the memory
    _check_architecture(model, info["unexpected_keys"], f"{where}, {folder}")
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(unused))
    if missing or info["mismatched_keys"]:
        raise ModelError(
            f"the checkpoint does not fill the model: {len(missing)} tensors are missing, "
            f"{len(info['mismatched_keys'])} have another shape (first: {', '.join(missing[:3])})",
            where=where,
            fix="Save or download the weights again",
        )
    return model


def _check_architecture(model: Any, unexpected: Iterable[str], where: str) -> None:
    """Refuse a checkpoint with more in the model's own parts than the model computes with, as PALs,
    adapters or LoRA that were saved with it: without them it is another model. Heads stand beside.
    """
    parts = {name for name, _ in model.named_children()}
    own = [
        key
        for key in (key.removeprefix(f"{model.base_model_prefix}.") for key in sorted(unexpected))
        if key.partition(".")[0] in parts
        and not key.startswith(UNUSED)
        and key.rpartition(".")[2] not in BUFFERS
    ]
    if own:
        raise ModelError(
            f"{len(own)} tensors of the checkpoint have no place in a {type(model).__name__} "
            f"(first: {own[0]}): it is of another architecture, such as PALs",
            where=where,
            fix="Load it with the code that it was made with, and give the object to evaluate",
        )


def _is_causal(model: Any) -> bool:
    return any(getattr(part, "is_causal", False) for part in model.modules())


def pool(states: torch.Tensor, mask: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """One float32 vector a row from last hidden states (rows, length, dimensions).

    ``cls`` takes the first token, ``second`` the second, ``last`` the last under the mask, on
    whichever side the padding is; ``mean`` and ``max`` take all tokens under the mask, and
    ``weighted_mean`` counts the n-th of them n times.
    """
    if pooling in ("cls", "second"):
        return states[:, 0 if pooling == "cls" else 1].float()
    places = mask.cumsum(1) * mask
    if pooling == "last":
        return states[torch.arange(len(states), device=states.device), places.argmax(1)].float()
    if pooling == "max":
        return states.float().masked_fill(mask.unsqueeze(-1) == 0, -torch.inf).amax(1)
    weights = (mask if pooling == "mean" else places).unsqueeze(-1).float()
    return (states.float() * weights).sum(1) / weights.sum(1)


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
