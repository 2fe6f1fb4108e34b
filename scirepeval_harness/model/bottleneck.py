"""Bottleneck adapters read and applied without the library ``adapters``.

A bottleneck adapter stands behind the attention block or the feed-forward block of each layer: it
projects the hidden states down, applies a non-linearity, projects up again and adds a residual.
Files are those that the library writes (``adapter_config.json`` with ``pytorch_adapter.bin`` or
``adapter.safetensors``); the order of operations is the library's (1.3.0, ``methods/bottleneck.py``
and ``methods/modeling.py``), so that both readers give the same vectors. What is not known here
is refused by name: an adapter read almost right would be a wrong score without a word.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import torch
from safetensors.torch import load_file
from torch import nn
from transformers.activations import ACT2FN

from scirepeval_harness.errors import MissingExtraError, ModelError
from scirepeval_harness.model.weights import loading, read_json

Reader = Literal["library", "own"]
PICKLE, SAFETENSORS = "pytorch_adapter.bin", "adapter.safetensors"
ARCHITECTURES = frozenset({"bert", "electra", "roberta", "xlm-roberta"})
"""Model types whose blocks are ``LayerNorm(dropout(dense(x)) + input)``."""

SEQUENTIAL = {
    "mh_adapter": False,
    "output_adapter": True,
    "original_ln_before": True,
    "non_linearity": "relu",
    "reduction_factor": 16,
}
DOUBLE = {
    "mh_adapter": True,
    "output_adapter": True,
    "non_linearity": "swish",
    "reduction_factor": 16,
}
PRESETS: dict[str, dict[str, Any]] = {
    "seq_bn": SEQUENTIAL,
    "pfeiffer": SEQUENTIAL,
    "double_seq_bn": DOUBLE,
    "houlsby": DOUBLE,
}
"""Configurations that a file may name instead of spelling out, under their new and old names."""

KNOWN: dict[str, Any] = {
    "adapter_residual_before_ln": False,
    "is_parallel": False,
    "leave_out": [],
    "ln_after": False,
    "ln_before": False,
    "mh_adapter": None,
    "non_linearity": None,
    "original_ln_after": True,
    "original_ln_before": False,
    "output_adapter": None,
    "reduction_factor": None,
    "residual_before_ln": True,
    "scaling": 1.0,
}
"""Settings that change a vector, with the library's defaults; None where a file must say it."""
WITHOUT_EFFECT = frozenset(
    {
        "dropout",
        "factorized_phm_W",
        "factorized_phm_rule",
        "hypercomplex_nonlinearity",
        "init_weights",
        "init_weights_seed",
        "inv_adapter_reduction_factor",
        "learn_phm",
        "phm_bias",
        "phm_c_init",
        "phm_dim",
        "phm_init_range",
        "phm_rank",
        "shared_W_phm",
        "shared_phm_rule",
        "stochastic_depth",
    }
)
"""Settings of training, or of parts that are switched off by another setting."""
OLD_PLACES = (
    "attention_text_task_adapters",
    "attention_text_lang_adapters",
    "layer_text_task_adapters",
    "layer_text_lang_adapters",
)
"""What the library's first versions called ``adapters`` in the names of tensors."""
OLD_ACTIVATIONS = {"gelu": "gelu_new", "gelu_orig": "gelu"}


class AdapterReader(Protocol):
    """What reads adapters into a model: this module, or the one that uses the library."""

    def add_adapter_support(self, model: Any, where: str) -> None:
        """Make a transformers model able to hold adapters; its weights stay as they are."""
        ...

    def add_adapter(self, model: Any, folder: Path, name: str, where: str) -> None:
        """Load an adapter from a local folder under ``name``, not active."""
        ...

    def activate(self, model: Any, name: str | None) -> None:
        """Switch to a loaded adapter, or to the base alone; moves no weights."""
        ...

    def no_adapter_warning(self) -> AbstractContextManager[None]:
        """A context in which running the base alone is nothing to warn of."""
        ...


def adapter_reader(choice: Reader | None = None) -> AdapterReader:
    """The reader of adapters: the library where it is installed, else this module.

    Args:
        choice: which of the two to take, whatever is installed.

    Raises:
        MissingExtraError: the library was chosen and is not installed.
    """
    own = cast(AdapterReader, importlib.import_module(__name__))
    if choice == "own":
        return own
    try:
        # By name, since that module imports the library and is only there to be imported with it.
        found = importlib.import_module("scirepeval_harness.model.adapter_library")
    except ImportError as error:
        # Not installed, or installed beside a transformers that it does not run with.
        if choice is None:
            return own
        raise library_needed(f"it cannot be imported ({error})", "adapters") from error
    return cast(AdapterReader, found)


def library_needed(what: str, where: str) -> MissingExtraError:
    """The error that names the library as the way to an adapter."""
    return MissingExtraError(
        f"{what}: that takes the library `adapters`",
        where=where,
        fix="Run: pip install 'scirepeval-harness[adapters]'",
    )


@dataclass(frozen=True, slots=True)
class BottleneckConfig:
    """What decides how an adapter is computed; names and meaning as in ``adapter_config.json``.

    ``reduction_factor`` is the hidden size over the bottleneck's, one for all layers or by layer
    number with ``default``. ``residual_before_ln`` may be ``post_add``. ``scaling`` is a factor, or
    ``learned`` or ``channel`` for one in the weights. ``name`` is what the tensors are called by.
    """

    name: str
    mh_adapter: bool
    output_adapter: bool
    reduction_factor: float | Mapping[str, float]
    non_linearity: str
    original_ln_before: bool
    original_ln_after: bool
    residual_before_ln: bool | str
    adapter_residual_before_ln: bool
    ln_before: bool
    ln_after: bool
    is_parallel: bool
    scaling: float | str
    leave_out: tuple[int, ...]

    def bottleneck(self, layer: int, hidden: int) -> int:
        """Width of the bottleneck in a layer of a model of ``hidden`` dimensions."""
        factor = self.reduction_factor
        if isinstance(factor, Mapping):
            factor = factor[str(layer)] if str(layer) in factor else factor["default"]
        return max(1, int(hidden // factor))


def read_config(folder: Path, where: str) -> BottleneckConfig:
    """The settings of an adapter's folder.

    Raises:
        ModelError: the file is no adapter's.
        MissingExtraError: an architecture or a setting that only the library knows.
    """
    written = read_json(folder / "adapter_config.json")
    config = written.get("config")
    if isinstance(config, str):
        if config not in PRESETS:
            raise library_needed(f"the adapter's architecture is {config!r}", where)
        config = PRESETS[config]
    if not isinstance(config, dict) or not isinstance(written.get("name"), str):
        raise ModelError(
            "adapter_config.json lacks the adapter's config or name",
            where=where,
            fix="Save or download the adapter again",
        )
    if config.get("architecture") is not None:
        raise library_needed(f"the adapter's architecture is {config['architecture']!r}", where)
    # Whatever is switched on and stands in neither list could change a vector.
    unknown = {
        key: value
        for key, value in config.items()
        if key not in KNOWN and key not in WITHOUT_EFFECT and value not in (None, False)
    }
    if unknown:
        raise library_needed(
            f"the adapter's config sets {', '.join(f'{k}={v!r}' for k, v in unknown.items())}",
            where,
        )
    settings = {key: config.get(key, default) for key, default in KNOWN.items()}
    lacking = sorted(key for key, value in settings.items() if value is None and key != "leave_out")
    if lacking:
        raise ModelError(
            f"adapter_config.json lacks {', '.join(lacking)}",
            where=where,
            fix="Save or download the adapter again",
        )
    if settings["residual_before_ln"] == "post_add" and not settings["original_ln_before"]:
        raise ModelError(
            "residual_before_ln is post_add, which needs original_ln_before",
            where=where,
            fix="Correct adapter_config.json",
        )
    if "version" not in written:
        # Before it wrote its version, the library called other functions by these names.
        named = settings["non_linearity"]
        settings["non_linearity"] = OLD_ACTIVATIONS.get(named, named)
    settings["leave_out"] = tuple(settings["leave_out"] or ())
    return BottleneckConfig(name=written["name"], **settings)


def read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of an adapter's file, which must hold nothing but tensors; on the CPU."""
    if (folder / PICKLE).is_file():
        tensors: dict[str, torch.Tensor] = torch.load(
            folder / PICKLE, map_location="cpu", weights_only=True
        )
        return tensors
    return load_file(folder / SAFETENSORS)


class Bottleneck(nn.Module):
    """An adapter in one place of one layer. Parameters are called as in the library's files."""

    def __init__(self, hidden: int, narrow: int, config: BottleneckConfig) -> None:
        super().__init__()
        self.config = config
        down: list[nn.Module] = []
        if config.ln_before:
            # Twice in a file: under its own name and as the first step of ``adapter_down``.
            self.adapter_norm_before = nn.LayerNorm(hidden)
            down.append(self.adapter_norm_before)
        down += [nn.Linear(hidden, narrow), _Activation(config.non_linearity)]
        self.adapter_down = nn.Sequential(*down)
        self.adapter_up = nn.Linear(narrow, hidden)
        self.scaling: nn.Parameter | float
        if isinstance(config.scaling, str):
            self.scaling = nn.Parameter(torch.ones(1 if config.scaling == "learned" else hidden))
        else:
            self.scaling = float(config.scaling)
        self.adapter_norm_after = nn.LayerNorm(hidden) if config.ln_after else None

    def forward(
        self, states: torch.Tensor, block_input: torch.Tensor, layer_norm: nn.Module
    ) -> torch.Tensor:
        """What a block gives with this adapter in it.

        Args:
            states: (rows, length, hidden), the block's dense layer, before residual and norm.
            block_input: (rows, length, hidden), the block's residual connection.
            layer_norm: the block's own norm.
        """
        config = self.config
        if config.is_parallel:
            adapted = self._project(block_input)
            if self.adapter_norm_after is not None:
                adapted = self.adapter_norm_after(adapted)
            adapted = adapted + states
        else:
            entering, residual = self._entering(states, block_input, layer_norm)
            adapted = self._project(entering)
            if config.adapter_residual_before_ln:
                adapted = adapted + residual
            if self.adapter_norm_after is not None:
                adapted = self.adapter_norm_after(adapted)
            if not config.adapter_residual_before_ln:
                adapted = adapted + residual
        if not config.original_ln_after:
            return adapted
        normed: torch.Tensor = layer_norm(adapted + block_input)
        return normed

    def _entering(
        self, states: torch.Tensor, block_input: torch.Tensor, layer_norm: nn.Module
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What is projected down, and what is added after projecting up."""
        config = self.config
        if not config.original_ln_before:
            return states, states
        added = states + block_input
        normed = layer_norm(added)
        if config.residual_before_ln == "post_add":
            return normed, added
        return normed, states if config.residual_before_ln else normed

    def _project(self, states: torch.Tensor) -> torch.Tensor:
        up: torch.Tensor = self.adapter_up(self.adapter_down(states))
        return up * self.scaling


class _Activation(nn.Module):
    """A non-linearity by its name in transformers."""

    def __init__(self, name: str) -> None:
        super().__init__()
        # The one name that the library adds to those of transformers.
        leaky = name.lower() == "leakyrelu"
        self.function: Any = nn.LeakyReLU() if leaky else ACT2FN[name.lower()]

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        activated: torch.Tensor = self.function(states)
        return activated


class AdaptedBlock(nn.Module):
    """A block of a layer with its adapters; without an active one it is the block itself."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block
        self.adapters = nn.ModuleDict()
        self.active: str | None = None

    def forward(self, hidden_states: torch.Tensor, input_tensor: torch.Tensor) -> torch.Tensor:
        """The block's output (rows, length, hidden)."""
        block: Any = self.block
        if self.active is None:
            plain: torch.Tensor = block(hidden_states, input_tensor)
            return plain
        states = block.dropout(block.dense(hidden_states))
        adapted: torch.Tensor = self.adapters[self.active](states, input_tensor, block.LayerNorm)
        return adapted


def add_adapter_support(model: Any, where: str) -> None:
    """Make sure that a model is of a kind that takes adapters here; changes nothing.

    Raises:
        MissingExtraError: an architecture that only the library may know.
    """
    kind = model.config.model_type
    if kind not in ARCHITECTURES:
        raise library_needed(f"adapters on a base of type {kind!r} are not known here", where)


def add_adapter(model: Any, folder: Path, name: str, where: str) -> None:
    """Load an adapter from a local folder under ``name``, not active.

    Raises:
        ModelError: the file cannot be read, or does not fill the adapter that its config describes.
        MissingExtraError: an architecture or a setting that only the library knows.
    """
    fix = "Check that adapter and base belong together"
    with loading("the adapter", where, fix):
        config = read_config(folder, where)
        tensors = read_tensors(folder)
        parts = make_bottlenecks(model, config, where)
        wanted = {
            (place, key): f"{place}.adapters.{config.name}.{key}"
            for place, part in parts.items()
            for key in part.state_dict()
        }
        stored = _by_new_names(tensors, model.base_model_prefix)
        if not wanted or any(key not in stored for key in wanted.values()):
            raise ModelError(
                f"of the file's {len(tensors)} tensors too few fit the adapter's {len(wanted)}",
                where=where,
                fix=fix,
            )
        for place, part in parts.items():
            part.load_state_dict({key: stored[wanted[place, key]] for key in part.state_dict()})
    for place, part in parts.items():
        attach(model, place, name, part)


def make_bottlenecks(model: Any, config: BottleneckConfig, where: str) -> dict[str, Bottleneck]:
    """New adapters by their place in the model, such as ``encoder.layer.0.output``.

    Raises:
        MissingExtraError: a non-linearity or a scaling that is not known here.
    """
    kinds = {"attention.output": config.mh_adapter, "output": config.output_adapter}
    hidden = int(model.config.hidden_size)
    if isinstance(config.scaling, str) and config.scaling not in ("learned", "channel"):
        raise library_needed(f"the adapter's scaling is {config.scaling!r}", where)
    try:
        _Activation(config.non_linearity)
    except KeyError as error:
        raise library_needed(
            f"the adapter's non-linearity is {config.non_linearity!r}", where
        ) from error
    return {
        f"encoder.layer.{layer}.{kind}": Bottleneck(
            hidden, config.bottleneck(layer, hidden), config
        )
        for layer in range(len(model.encoder.layer))
        if layer not in config.leave_out
        for kind, used in kinds.items()
        if used
    }


def attach(model: Any, place: str, name: str, part: Bottleneck) -> None:
    """Put an adapter into its place, not active; a block is wrapped when its first one comes."""
    parent, _, attribute = place.rpartition(".")
    block = model.get_submodule(place)
    if not isinstance(block, AdaptedBlock):
        block = AdaptedBlock(block)
        setattr(model.get_submodule(parent), attribute, block)
    part.train(model.training)
    block.adapters[name] = part


def activate(model: Any, name: str | None) -> None:
    """Switch to a loaded adapter, or to the base alone; moves no weights."""
    for block in adapted_blocks(model):
        # A layer that the adapter leaves out runs as in the base.
        block.active = name if name is not None and name in block.adapters else None


def adapted_blocks(model: Any) -> Iterator[AdaptedBlock]:
    """The blocks of a model that hold adapters."""
    return (module for module in model.modules() if isinstance(module, AdaptedBlock))


no_adapter_warning = nullcontext
"""Nothing warns here; the library does."""


def _by_new_names(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors without the prefix of a model with a head, under today's names."""
    out: dict[str, torch.Tensor] = {}
    for key, tensor in tensors.items():
        name = key.removeprefix(f"{prefix}.")
        for old in OLD_PLACES:
            name = name.replace(f".{old}.", ".adapters.")
        out[name] = tensor
    return out
