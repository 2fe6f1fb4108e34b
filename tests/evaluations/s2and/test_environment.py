from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from scirepeval_harness.errors import ExperimentError, StorageError, UsageError
from scirepeval_harness.evaluations.s2and import environment
from scirepeval_harness.evaluations.s2and.environment import (
    contents,
    find_python,
    is_ready,
    run,
    set_up,
)


def test_an_environment_of_other_versions_is_not_ready(tmp_path: Path) -> None:
    assert not is_ready(tmp_path)
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("")
    marker = tmp_path / environment.MARKER
    marker.write_text(json.dumps(contents()))
    assert is_ready(tmp_path)
    marker.write_text(json.dumps({**contents(), "pins": ["numpy==1.25.0"]}))
    assert not is_ready(tmp_path)
    marker.write_text("{")
    assert not is_ready(tmp_path)
    marker.write_text(json.dumps(contents()))
    python.unlink()
    assert not is_ready(tmp_path)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="holds something that this command did not make"):
        set_up(tmp_path, print)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    other = tmp_path / "venv"
    other.mkdir()
    (other / "pyvenv.cfg").write_text("home = /usr/bin")
    with pytest.raises(UsageError, match="did not make"):
        set_up(other, print)
    (other / environment.MARKER).write_text("[1]")
    with pytest.raises(UsageError, match="did not make"):
        set_up(other, print)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be read"):
        set_up(tmp_path / "file", print)


@pytest.mark.parametrize(
    "before", [{}, {"made_by": environment.MAKER}, {"requirement": "s2and==0.1"}]
)
def test_its_own_folders_are_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: dict[str, str]
) -> None:
    if before:
        (tmp_path / environment.MARKER).write_text(json.dumps(before))
    monkeypatch.setattr(environment, "run", lambda words, what, where: None)
    set_up(tmp_path, print)
    assert json.loads((tmp_path / environment.MARKER).read_text()) == contents()


def test_another_python_is_looked_for_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "PYTHON", "3.2")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"needs Python 3\.2.*python3\.2"):
        find_python()
    own = tmp_path / "python3.2"
    shutil.copy(sys.executable, own)
    assert find_python() == str(own)


@pytest.mark.slow
def test_an_installation_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "empty"))
    with pytest.raises(ExperimentError, match=r"the installation failed: .*s2and"):
        set_up(tmp_path / "env", print)
    assert not is_ready(tmp_path / "env")


def test_lines_come_as_they_are_printed_and_errors_at_the_end(tmp_path: Path) -> None:
    lines: list[str] = []
    code = "import sys; print('one'); print('two'); print('why', file=sys.stderr); sys.exit(%d)"
    run([sys.executable, "-c", code % 0], "it", tmp_path, lines.append)
    assert lines == ["one", "two"]
    with pytest.raises(ExperimentError, match="it failed: why") as caught:
        run([sys.executable, "-c", code % 3], "it", tmp_path)
    assert caught.value.exit_code == 3
    with pytest.raises(ExperimentError, match="it cannot be started"):
        run([str(tmp_path / "none")], "it", tmp_path)
