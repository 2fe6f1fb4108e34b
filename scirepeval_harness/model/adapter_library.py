"""The one place that touches the library ``adapters``, which is used where it is installed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import adapters

from scirepeval_harness.errors import ModelError
from scirepeval_harness.model.bottleneck import PICKLE, read_tensors
from scirepeval_harness.model.replica import lines_kept
from scirepeval_harness.model.weights import loading


def add_adapter_support(model: Any, where: str) -> None:
    """Make a transformers model able to hold adapters; its weights stay as they are."""
    try:
        adapters.init(model)
    except ValueError as error:
        raise ModelError(
            f"this architecture takes no adapters: {error}",
            where=where,
            fix="Choose a BERT-like base, or a model without adapters",
        ) from error


def add_adapter(model: Any, folder: Path, name: str, where: str) -> None:
    """Load an adapter from a local folder under ``name``, not active.

    The name inside the adapter's config is of no account: it says little of what the adapter is.

    Raises:
        ModelError: the file cannot be read, or does not fill the adapter that its config describes.
    """
    before = set(model.state_dict())
    info: dict[str, list[str]] = {}
    fix = "Check that adapter and base belong together"
    with loading("the adapter", where, fix):
        model.load_adapter(
            str(folder),
            load_as=name,
            set_active=False,
            loading_info=info,
            use_safetensors=not (folder / PICKLE).is_file(),
        )
        stored = len(read_tensors(folder))
    created = [key for key in model.state_dict() if key not in before]
    # The library compares its missing keys with the old name, and so finds none under a new one.
    if not created or stored - len(info.get("unexpected_keys", [])) < len(created):
        raise ModelError(
            f"of the file's {stored} tensors too few fit the adapter's {len(created)}",
            where=where,
            fix=fix,
        )


def activate(model: Any, name: str | None) -> None:
    """Switch to a loaded adapter, or to the base alone; moves no weights."""
    with no_adapter_warning():
        model.set_active_adapters(name)


def no_adapter_warning() -> AbstractContextManager[None]:
    """Drop the library's line that no adapter is active, which it prints wherever it is meant."""
    return lines_kept(
        "adapters.model_mixin", lambda line: "none are activated" not in line.getMessage()
    )
