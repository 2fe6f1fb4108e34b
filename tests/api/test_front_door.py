"""The public names: few, fast to import, described, and with examples that run."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import scirepeval_harness as sh

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "pandas", "numpy", "sklearn", "scipy", "pyarrow", "pydantic")


def public() -> list[tuple[str, object]]:
    """Each public name, and the public names of the modules among them."""
    found: list[tuple[str, object]] = []
    for name in sh.__all__:
        value = getattr(sh, name)
        if isinstance(value, ModuleType):
            found += [(f"{name}.{inner}", getattr(value, inner)) for inner in value.__all__]
        else:
            found.append((name, value))
    return found


def test_the_public_names_are_exactly_those_listed() -> None:
    assert sorted(sh.__all__) == list(sh.__all__)
    assert set(dir(sh)) == {*sh.__all__, "__version__"}
    with pytest.raises(AttributeError):
        _ = sh.nothing_of_this_name  # type: ignore[attr-defined]


def test_the_import_is_fast_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import scirepeval_harness;"
        "spent = time.perf_counter() - start;"
        f"print(spent, [n for n in {HEAVY!r} if n in sys.modules])"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    spent = min(float(run.stdout.split()[0]) for run in runs)
    assert spent < 0.15
    assert all(run.stdout.split(" ", 1)[1].strip() == "[]" for run in runs)


@pytest.mark.parametrize(("name", "value"), public(), ids=[name for name, _ in public()])
def test_every_public_name_is_described(name: str, value: object) -> None:
    if isinstance(value, str):
        return  # a constant, described beside it
    text = inspect.getdoc(value)
    assert text is not None
    assert len(text) > 20, name
    if inspect.isfunction(value):
        parameters = inspect.signature(value).parameters.values()
        assert all(parameter.annotation is not inspect.Parameter.empty for parameter in parameters)


def test_importing_says_and_changes_nothing() -> None:
    code = (
        "import signal, logging, os, random; before = (signal.getsignal(signal.SIGINT),"
        " list(logging.root.handlers), dict(os.environ), random.getstate());"
        "import scirepeval_harness as sh; [getattr(sh, n) for n in sh.__all__];"
        "after = (signal.getsignal(signal.SIGINT), list(logging.root.handlers), dict(os.environ),"
        " random.getstate()); print(before == after)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert (done.stdout.strip(), done.stderr) == ("True", "")


def test_the_python_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(block, "README.md", "exec"), {})  # noqa: S102
    assert "| letters |" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [], "nothing is written where nobody asked for it"
