"""The page of public names is made from their docstrings, is up to date, and its examples run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import scirepeval_harness
from tools.api_page import PAGE, main, markdown, page_of

PUBLIC = list(getattr(scirepeval_harness, "__all__", ()))
MADE = '''
"""A made module."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["area", "Shape", "LIMIT"]

LIMIT = 3


def area(sides: list[float], *, scale: float = 1.0, rule=max) -> float:
    """The area of a shape, see :func:`~.made.other` and ``LIMIT``.

    A second paragraph.

    Args:
        sides: lengths (n,), in metres,
            none of them negative.
        scale: a factor.

    Returns:
        Square metres.

    Raises:
        ValueError: no sides.

    Example:
        >>> area([2.0], scale=2.0)
        4.0
    """
    return sides[0] * scale


@dataclass
class Shape:
    """A shape."""

    size: int = 1

    @property
    def double(self) -> int:
        """Twice the size."""
        return 2 * self.size

    def _hidden(self) -> None: ...


def not_public() -> None:
    """Not on the page."""
'''


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "made_public.py").write_text(MADE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "made_public", raising=False)
    return importlib.import_module("made_public")


def test_the_page_holds_signature_sections_and_example(made: ModuleType) -> None:
    page = page_of(made)
    assert (
        "## `area`\n\n```python\n"
        "area(sides: list[float], *, scale: float = 1.0, rule=max) -> float\n```\n" in page
    )
    assert "see `other` and `LIMIT`." in page
    assert "**Args**\n\n- `sides`: lengths (n,), in metres,\n  none of them negative.\n" in page
    assert "**Returns**\n\nSquare metres.\n" in page
    assert "**Raises**\n\n- `ValueError`: no sides.\n" in page
    assert "**Example**\n\n```python\n>>> area([2.0], scale=2.0)\n4.0\n```\n" in page
    assert "## `Shape`\n\n```python\nclass Shape(size: int = 1)\n```\n\nA shape.\n" in page
    assert "### `Shape.double`\n\nTwice the size.\n" in page
    assert "## `LIMIT`\n\nA value of type `int`.\n" in page
    assert "hidden" not in page
    assert "not_public" not in page
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## `area`", "## `Shape`", "## `LIMIT`",
    ]  # fmt: skip


def test_a_long_signature_has_a_parameter_a_line() -> None:
    made = ModuleType("made_long")
    exec_source = (
        "def long(" + ", ".join(f"parameter_{i}: int = {i}" for i in range(9)) + "): 'Doc.'"
    )
    exec(exec_source, made.__dict__)  # noqa: S102
    made.__dict__["__all__"] = ["long"]
    assert "long(\n    parameter_0: int = 0,\n" in page_of(made)
    assert "    parameter_8: int = 8,\n)\n" in page_of(made)


def test_an_example_in_several_parts_is_code() -> None:
    text = "Doc.\n\nExample:\n    >>> a = 1\n\n    >>> a\n    1"
    assert markdown(text).count("```python") == 2


def test_a_public_name_without_a_docstring_is_an_error(made: ModuleType) -> None:
    made.area.__doc__ = None
    with pytest.raises(ValueError, match="area is public and has no docstring"):
        page_of(made)


def test_check_says_whether_the_page_is_up_to_date(
    made: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--module", made.__name__, "--page", str(tmp_path / "page.md")]
    assert main([*words, "--check"]) == 1
    assert "run python -m tools.api_page" in capsys.readouterr().err
    assert main(words) == 0
    assert main([*words, "--check"]) == 0


def test_the_committed_page_is_up_to_date() -> None:
    assert main(["--check"]) == 0, "make api-page"


def test_the_page_is_the_same_in_another_process() -> None:
    program = "import sys, scirepeval_harness as m; from tools.api_page import page_of\n"
    program += "sys.stdout.write(page_of(m))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PAGE.parents[1], capture_output=True, check=True
    )
    assert done.stdout == PAGE.read_bytes()


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "__version__"])
def test_a_public_name_has_an_example_that_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = getattr(scirepeval_harness, name)
    if not (inspect.isclass(value) or callable(value)):
        pytest.skip("a value has no example")
    text = inspect.getdoc(value) or ""
    assert re.search(r"^\s*>>> ", text, re.MULTILINE), f"{name} has no example"
    # Examples read the committed results and write into a folder of their own.
    monkeypatch.chdir(PAGE.parents[1])
    names = {"sh": scirepeval_harness, "folder": tmp_path, name: value}
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=flags)
    runner.run(doctest.DocTestParser().get_doctest(text, names, name, None, None))
    assert runner.summarize(verbose=False).failed == 0
