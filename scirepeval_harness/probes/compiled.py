"""Machine code for the probes: numba's compiler with its results kept in the user's cache folder.

Importing this module loads numba; :mod:`exact` does so only when a probe is fitted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import config
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


_FOLDER = config.CACHE_DIR or _kept()


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


@intrinsic
def _prefetch(typingctx: Any, table: Any, row: Any, column: Any) -> Any:
    """Asks the processor to fetch the memory of table[row, column]."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        array = context.make_array(kind)(context, builder, arguments[0])
        strides = numba.core.cgutils.unpack_tuple(builder, array.strides)
        size = ir.Constant(strides[0].type, kind.dtype.bitwidth // 8)
        offset = builder.add(
            builder.mul(arguments[1], strides[0]), builder.mul(arguments[2], size)
        )
        byte = ir.IntType(8)
        base = builder.bitcast(array.data, byte.as_pointer())
        place = builder.gep(base, [offset])
        number = ir.IntType(32)
        wanted = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte.as_pointer()], wanted)
        # To be read, into the second level of cache on, as data.
        builder.call(fetch, [place, *(ir.Constant(number, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return numba.types.void(table, numba.types.intp, numba.types.intp), generate


@compiled
def fetch(table: Floats, row: int) -> None:
    """Asks for a row of a matrix ahead of its use: rows in random order defeat the processor's own
    guess, and waiting for them would take longer than the arithmetic."""
    for column in range(0, table.shape[1], 64 // table.itemsize):
        _prefetch(table, row, column)


@summed
def dot(left: Floats, right: Floats) -> float:
    """Sum of products in float64."""
    total = 0.0
    for k in range(len(right)):
        total += left[k] * right[k]
    return total


@summed
def add(total: Floats, factor: float, row: Floats) -> None:
    """Adds a multiple of a row."""
    for k in range(len(row)):
        total[k] += factor * row[k]
