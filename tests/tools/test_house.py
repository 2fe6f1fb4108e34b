"""The package keeps the shape that it was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.house import Shape, main, shape_below, shape_of

MODULE = '''"""A module.

Of two paragraphs.
"""

import os
from pathlib import (
    Path,
)

LIMIT = 3  # Why three.
"""What it limits."""


# Why a class.
class Thing:
    """A thing."""

    def name(self) -> str:
        import sys

        return sys.argv[0]  # noqa: S101

    def _hidden(self) -> Path:
        return Path(os.sep)
'''


def test_counts_of_a_made_module() -> None:
    assert shape_of(MODULE) == Shape(
        modules=1, lines=25, imports=5, code=11, comments=2, public=2, documented=1
    )


def test_a_module_of_a_docstring_alone_is_none() -> None:
    assert shape_of('"""A package."""\n') == Shape(lines=1)
    assert shape_of("") == Shape()


def test_a_folder_is_the_sum_of_its_modules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "inner").mkdir()
    for path in (tmp_path / "a.py", tmp_path / "inner" / "b.py"):
        path.write_text(MODULE)
    assert shape_below(tmp_path) == shape_of(MODULE) + shape_of(MODULE)
    main([str(tmp_path)])
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == [
        "2", "50", "20.0%", "8.0", "22", "50.0%",
    ]  # fmt: skip


def test_the_house_grows_by_features_alone() -> None:
    """Modules stay of one idea each, lines of import few, and comments where they were.

    The sums are where the house stands: whoever brings a new kind of thing raises them in the same
    commit; all other work leaves them or makes them fall.
    """
    shape = shape_below()
    assert shape.modules <= 157
    assert shape.lines <= 34_400
    assert shape.lines / shape.modules <= 220
    assert shape.import_share < 7.2
    assert shape.comments_per_100 >= 2
    assert shape.documented_share >= 88
