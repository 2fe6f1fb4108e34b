"""Settings of the lexical models: defaults, overridden by the model file, checked."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from scirepeval_harness.errors import SpecError
from scirepeval_harness.specs.model import ModelSpec

Setting = str | int | float | bool


def merge_settings(spec: ModelSpec, defaults: Mapping[str, Setting]) -> dict[str, Setting]:
    """Defaults with the model's own settings over them.

    Raises:
        SpecError: a setting that the model does not have, or of another type than its default.
    """
    for key, value in spec.settings.items():
        if key not in defaults:
            near = difflib.get_close_matches(key, defaults, n=1)
            raise SpecError(
                f"unknown setting {key}",
                where=f"model {spec.name}",
                fix=f"Did you mean {near[0]}?" if near else "Known are " + ", ".join(defaults),
            )
        default = defaults[key]
        number = isinstance(default, float) or (
            isinstance(default, int) and not isinstance(default, bool)
        )
        fits = (
            isinstance(value, int | float) and not isinstance(value, bool)
            if number
            else type(value) is type(default)
        )
        if not fits:
            raise SpecError(
                f"setting {key} must be like {default!r}, not {value!r}",
                where=f"model {spec.name}",
                fix="Mend the model file",
            )
    return {**defaults, **spec.settings}
