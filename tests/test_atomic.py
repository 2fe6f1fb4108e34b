from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scirepeval_harness.errors import StorageError
from scirepeval_harness.files import (
    LOCKS,
    open_regular,
    parse_json,
    sweep,
    working_folder,
    write_bytes,
    write_json,
    write_with,
)


def test_equal_values_give_equal_bytes_and_folders_are_made(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "b" / "one.json", tmp_path / "two.json"
    write_json(first, {"b": [1.5, "ü"], "a": None})
    write_json(second, {"a": None, "b": [1.5, "ü"]})
    assert first.read_bytes() == second.read_bytes()
    assert json.loads(first.read_text(encoding="utf-8")) == {"a": None, "b": [1.5, "ü"]}


def test_half_a_surrogate_pair_is_written_and_read_back(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"title": "a\ud800, \udcff"})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {
        "title": "a\ud800, \udcff"
    }


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"score": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_bytes(path, b"old")

    def fail(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match=r"No space left.*--output"):
        write_with(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_any_other_error_leaves_nothing_either(tmp_path: Path) -> None:
    def stop(temporary: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_with(tmp_path / "x", stop)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"x\.json"):
        write_bytes(tmp_path / "file" / "x.json", b"")


@pytest.mark.parametrize("path", ["/dev/zero", "pipe", "folder"])
def test_only_regular_files_are_opened_and_written_over(path: str, tmp_path: Path) -> None:
    place = tmp_path / path
    if path == "pipe":
        os.mkfifo(place)
    elif path == "folder":
        place.mkdir()
    with pytest.raises(OSError, match=r"a folder|a named pipe or a device"):
        open_regular(place)
    if path == "pipe":
        with pytest.raises(StorageError, match="a named pipe"):
            write_bytes(place, b"")


@pytest.mark.parametrize(
    ("text", "what"),
    [("[" * 100_000, "nested"), ("1" * 5_000, "thousands of digits"), ('{"a"', "delimiter")],
)
def test_what_python_cannot_read_is_an_error_of_value(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse_json(text)


HOLD = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from scirepeval_harness.files import working_folder, write_with\n"
    "def fill(path):\n"
    "    print(path, flush=True)\n"
    "    time.sleep(60)\n"
    "with working_folder('texts') as folder:\n"
    "    print(folder, flush=True)\n"
    "    write_with(Path(sys.argv[1], 'x.json'), fill)\n"
)


@pytest.mark.skipif(not LOCKS, reason="a system without locks")
def test_what_a_killed_process_left_is_swept_and_a_living_one_keeps_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, out = tmp_path / "temporary", tmp_path / "out"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)}
    left: dict[int, list[Path]] = {}
    children = []
    for number in (0, 1):
        child = subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE,
                                 text=True, env=environment)  # fmt: skip
        assert child.stdout is not None
        left[number] = [Path(child.stdout.readline().strip()) for _ in range(2)]
        children.append(child)
    children[0].send_signal(signal.SIGKILL)
    children[0].wait()
    sweep(out)
    with working_folder("texts") as own:
        assert {path.exists() for path in left[0]} == {False}
        assert {path.exists() for path in left[1]} == {True}
    assert not own.exists()
    children[1].kill()
    for child in children:
        child.communicate()


def test_half_a_surrogate_pair_is_written_as_json_escapes_it(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"error": "key \ud800"})
    assert json.loads((tmp_path / "a.json").read_text()) == {"error": "key \ud800"}
