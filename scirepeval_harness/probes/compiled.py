"""Machine code for the probes: numba's compiler with its results kept in the user's cache folder.

Importing this module loads numba; :mod:`exact` does so only when a probe is fitted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.extending import intrinsic
from numpy.typing import NDArray

from scirepeval_harness.files import cache_dir

Function = TypeVar("Function", bound=Callable[..., Any])
Floats = NDArray[np.floating[Any]]
SUMS = {"reassoc", "nsz", "contract"}
"""What the compiler may do to sums of products: add in another order, several at a time. That moves
the last digits (1e-16 a sum), as any library of linear algebra does. Infinities and comparisons
stay as written, because the solvers' stopping rules need them."""


def _kept() -> str | None:
    """A folder for compiled code that can be written to; None if there is none.

    numba itself would write beside the source, that is into site-packages.
    """
    folder: Path = cache_dir() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return None
    return str(folder)


config: Any = numba.config
_FOLDER = config.CACHE_DIR or _kept()


def at_hand() -> bool:
    """Whether an earlier process has left compiled code of the probes."""
    return _FOLDER is not None and any(Path(_FOLDER).glob("probes_*/*.nbi"))


def compiled(function: Function, *, sums: bool = False) -> Function:
    """The function in machine code, compiled at its first call for each kind of arguments.

    Other threads go on while it runs. ``sums`` allows :data:`SUMS` inside it.
    """
    flags: set[str] | bool = SUMS if sums else False
    if _FOLDER is None:
        return cast(Function, numba.njit(function, nogil=True, fastmath=flags))
    before = config.CACHE_DIR
    # numba reads the folder when a function is decorated, and other packages' are not ours to move.
    config.CACHE_DIR = _FOLDER
    try:
        return cast(Function, numba.njit(function, nogil=True, fastmath=flags, cache=True))
    finally:
        config.CACHE_DIR = before


def summed(function: Function) -> Function:
    """As :func:`compiled`, with :data:`SUMS` allowed."""
    return compiled(function, sums=True)


@summed
def dot(point: Floats, table: Floats, row: int) -> float:
    """Product of the first numbers of a point with a row of a matrix, in float64.

    The row is named by its place: a view of it would be counted in and out, which takes as long as
    the sum of a short row.
    """
    total = 0.0
    for k in range(table.shape[1]):
        total += point[k] * table[row, k]
    return total


@summed
def add(point: Floats, factor: float, table: Floats, row: int) -> None:
    """Adds a multiple of a row to the first numbers of a point."""
    for k in range(table.shape[1]):
        point[k] += factor * table[row, k]


@summed
def add_and_dot(point: Floats, factor: float, table: Floats, row: int, other: int) -> float:
    """:func:`add` a multiple of one row, then :func:`dot` with another, in one go over the point:
    a quarter less of the processor's time."""
    total = 0.0
    for k in range(table.shape[1]):
        moved = point[k] + factor * table[row, k]
        point[k] = moved
        total += moved * table[other, k]
    return total


@cache
def axpy_address() -> int:
    """Where scipy's daxpy is; scikit-learn's solvers call it, and it rounds in its own way."""
    from numba.extending import get_cython_function_address

    return int(get_cython_function_address("scipy.linalg.cython_blas", "daxpy"))


def _axpy(context: Any, address: Any, factor: Any, x: Any, y: Any) -> Any:
    """y += factor x (n,) in machine code, by the function at an address."""
    # numba itself offers dot products and norms of the same library, but not this.
    from llvmlite import ir
    from numba.core import cgutils, types

    def call(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        at, factor, *vectors = values
        arrays = [
            context.make_array(kind)(context, builder, vector)
            for kind, vector in zip(signature.args[2:], vectors, strict=True)
        ]
        number, kept = ir.IntType(32), cast(Any, cgutils).alloca_once_value
        length = builder.extract_value(arrays[0].shape, 0)
        count = kept(builder, builder.trunc(length, number))
        one = kept(builder, ir.Constant(number, 1))
        scale = kept(builder, factor)
        handed = [count, scale, arrays[0].data, one, arrays[1].data, one]
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in handed])
        builder.call(builder.inttoptr(at, kind.as_pointer()), handed)
        return context.get_dummy_value()

    return types.void(address, factor, x, y), call


axpy: Any = intrinsic(_axpy)
