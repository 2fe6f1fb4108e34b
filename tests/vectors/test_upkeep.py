"""Merging and setting aside: no row is lost, whatever happens beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.model.base import Identity
from scirepeval_harness.roles import Role
from scirepeval_harness.vectors.keys import key_array, text_key
from scirepeval_harness.vectors.shards import ShardWriter, read_frames
from scirepeval_harness.vectors.store import EmbeddingStore, Space
from scirepeval_harness.vectors.upkeep import compact, set_aside

IDENTITY = Identity("m", Role.PROXIMITY, {"weights": "abc"})


def keys_of(numbers: range) -> np.ndarray:
    return key_array(text_key(str(number)) for number in numbers)


def vectors_of(numbers: range) -> np.ndarray:
    return np.asarray([[number, -number] for number in numbers], dtype=np.float32)


def write(folder: Path, numbers: range, frame: int = 10) -> Path:
    writer = ShardWriter(folder)
    for start in range(numbers.start, numbers.stop, frame):
        part = range(start, min(start + frame, numbers.stop))
        writer.write(keys_of(part), vectors_of(part))
    closed = writer.close()
    assert closed is not None
    return closed


def test_small_shards_become_one_and_an_open_space_follows(tmp_path: Path) -> None:
    for start in range(0, 80, 10):
        write(tmp_path, range(start, start + 10), frame=4)
    reader = Space(tmp_path, IDENTITY)
    assert len(list(tmp_path.glob("*.vec"))) == 8
    assert compact(tmp_path) == 8
    merged = list(tmp_path.glob("*.vec"))
    assert [frame.rows for frame in read_frames(merged[0]).frames] == [80]
    assert np.array_equal(reader.take(keys_of(range(80))), vectors_of(range(80)))
    assert compact(tmp_path) == 0, "what is merged stays"


def test_few_shards_are_left_as_they_are(tmp_path: Path) -> None:
    for start in range(0, 30, 10):
        write(tmp_path, range(start, start + 10))
    assert compact(tmp_path) == 0
    assert len(list(tmp_path.glob("*.vec"))) == 3


def test_repeated_rows_are_merged_and_the_first_stays(tmp_path: Path) -> None:
    for _ in range(8):
        write(tmp_path, range(10))
    compact(tmp_path)
    assert [frame.rows for frame in read_frames(next(tmp_path.glob("*.vec"))).frames] == [10]


def test_the_tail_of_a_killed_process_is_kept_and_a_live_one_left_alone(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[2])\n"
        "from tests.vectors.test_upkeep import *\n"
        "writer = ShardWriter(Path(sys.argv[1]))\n"
        "writer.write(keys_of(range(7)), vectors_of(range(7)))\n"
        "writer._file.write(b'SREHVEC2 half a header')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path), root], capture_output=True)
    assert done.returncode == -9, done.stderr
    live = ShardWriter(tmp_path)
    live.write(keys_of(range(7, 9)), vectors_of(range(7, 9)))
    space = Space(tmp_path, IDENTITY)
    assert len(space) == 9
    assert space.damaged == [], "an unfinished frame at the end of a tail is no damage"
    assert compact(tmp_path) == 1
    live.write(keys_of(range(9, 12)), vectors_of(range(9, 12)))
    assert live.close() is not None
    assert np.array_equal(space.take(keys_of(range(12))), vectors_of(range(12)))
    assert len(list(tmp_path.glob("*.vec"))) == 2
    assert list(tmp_path.glob("*.tail")) == []


def test_of_a_damaged_shard_the_sound_frames_are_saved(tmp_path: Path) -> None:
    path = write(tmp_path, range(40))
    frame = read_frames(path).frames[1]
    raw = bytearray(path.read_bytes())
    raw[frame.start + 3] ^= 1
    path.write_bytes(raw)
    damage = set_aside(path, "flipped")
    assert damage is not None
    assert damage.saved == 30
    assert damage.shard == tmp_path / "damaged" / path.name
    space = Space(tmp_path, IDENTITY)
    assert space.sound(keys_of(range(40))).tolist() == [not 10 <= n < 20 for n in range(40)]


def test_damage_is_never_merged_away(tmp_path: Path) -> None:
    paths = [write(tmp_path, range(start, start + 10)) for start in range(0, 90, 10)]
    raw = bytearray(paths[4].read_bytes())
    raw[-1] ^= 1
    paths[4].write_bytes(raw)
    assert compact(tmp_path) == 8
    assert paths[4].exists()
    space = Space(tmp_path, IDENTITY)
    assert int(space.sound(keys_of(range(90))).sum()) == 80
    assert [damage.reason for damage in space.damaged] == ["the checksum of its vectors is wrong"]


@pytest.mark.parametrize("name", ["note.txt", ".hidden.vec"])
def test_files_of_others_are_left_alone(tmp_path: Path, name: str) -> None:
    for start in range(0, 80, 10):
        write(tmp_path, range(start, start + 10))
    (tmp_path / name).write_text("mine")
    compact(tmp_path)
    Space(tmp_path, IDENTITY).sound(keys_of(range(80)))
    assert (tmp_path / name).read_text() == "mine"


WRITER = """
import sys; sys.path.insert(0, sys.argv[2])
from tests.vectors.test_upkeep import *
store, start = EmbeddingStore(Path(sys.argv[1])), int(sys.argv[3])
for round in range(12):
    space = store.space(IDENTITY)
    for at in range(start, start + 300, 25):
        part = range(at + 25 * (round % 2), at + 25 * (round % 2) + 25)
        space.append(keys_of(part), vectors_of(part))
    store.close()
"""


def test_two_processes_write_and_merge_while_a_third_reads(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), root, start],
                         stderr=subprocess.PIPE, text=True)
        for start in ("0", "150")
    ]  # fmt: skip
    store, seen, rounds = EmbeddingStore(tmp_path), 0, 0
    everything = range(0, 475)
    while any(writer.poll() is None for writer in writers) or not rounds:
        space = store.space(IDENTITY)
        there = space.holds(keys_of(everything))
        assert int(there.sum()) >= seen, "a row that was there is gone"
        seen, rounds = int(there.sum()), rounds + 1
        numbers = np.flatnonzero(there)
        found = space.take(keys_of(everything)[there])
        assert found.tolist() == [[number, -number] for number in numbers]
    for writer in writers:
        _, shown = writer.communicate(timeout=60)
        assert writer.returncode == 0, shown
    space = store.space(IDENTITY)
    assert len(space) == 475
    assert np.array_equal(space.take(keys_of(everything)), vectors_of(everything))
    assert space.damaged == []
    assert len(list(tmp_path.rglob("*.vec"))) < 12


def test_a_reader_holds_no_file_open(tmp_path: Path) -> None:
    path = write(tmp_path, range(20))
    space = Space(tmp_path, IDENTITY)
    space.take(keys_of(range(20)))
    links = [link.resolve() for link in Path("/proc/self/fd").iterdir() if link.exists()]
    assert path.resolve() not in links
