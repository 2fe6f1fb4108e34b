"""The file format: what is written comes back, and no damage passes for a vector."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.errors import StorageError
from scirepeval_harness.vectors.keys import key_array, text_key
from scirepeval_harness.vectors.shards import HEADER, Mapped, ShardWriter, read_frames

VECTORS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
KEYS = key_array(text_key(str(number)) for number in range(5))


def two_frames(folder: Path) -> Path:
    writer = ShardWriter(folder)
    writer.write(KEYS[:2], VECTORS[:2])
    writer.write(KEYS[2:], VECTORS[2:])
    closed = writer.close()
    assert closed is not None
    return closed


def test_frames_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = two_frames(tmp_path)
    assert path.suffix == ".vec"
    assert path.stat().st_size == 2 * HEADER.size + 5 * (16 + 3 * 4)
    reading = read_frames(path)
    assert (reading.defect, reading.unfinished) == (None, False)
    assert [frame.rows for frame in reading.frames] == [2, 3]
    assert np.concatenate(reading.keys).tolist() == KEYS.tolist()
    mapped = Mapped(path)
    assert all(mapped.sound(frame) for frame in reading.frames)
    assert np.array_equal(np.concatenate([mapped.vectors(f) for f in reading.frames]), VECTORS)


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = two_frames(tmp_path)
    whole = path.read_bytes()
    padding = {at + offset for at in (0, read_frames(path).frames[0].stop)
               for offset in range(36, HEADER.size)}  # fmt: skip
    for place in range(len(whole)):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0x10
        path.write_bytes(spoilt)
        reading = read_frames(path)
        sound = [Mapped(path).sound(frame) for frame in reading.frames]
        noticed = reading.defect or reading.unfinished or not all(sound)
        assert noticed or place in padding, place


def test_every_cut_is_noticed_or_leaves_whole_frames(tmp_path: Path) -> None:
    path = two_frames(tmp_path)
    whole, middle = path.read_bytes(), read_frames(path).frames[0].stop
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        reading = read_frames(path)
        assert reading.unfinished or length == middle
        assert len(reading.frames) == (1 if length >= middle else 0)
        assert reading.end == (middle if length >= middle else 0)


def test_reading_goes_on_where_it_ended(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path)
    writer.write(KEYS[:2], VECTORS[:2])
    first = read_frames(writer.path)
    writer.write(KEYS[2:], VECTORS[2:])
    rest = read_frames(writer.path, first.end)
    assert [frame.rows for frame in rest.frames] == [3]
    assert np.array_equal(Mapped(writer.path).vectors(rest.frames[0]), VECTORS[2:])


def test_a_writer_that_wrote_nothing_leaves_nothing(tmp_path: Path) -> None:
    assert ShardWriter(tmp_path).close() is None
    assert list(tmp_path.iterdir()) == []


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from scirepeval_harness.vectors.keys import key_array, text_key
from scirepeval_harness.vectors.shards import ShardWriter, read_frames
from scirepeval_harness.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
writer = ShardWriter(Path(sys.argv[1]))
keys = key_array(text_key(str(n)) for n in range(100))
vectors = np.ones((100, 200), np.float32)
writer.write(keys, vectors)
try:
    writer.write(keys, vectors)
except StorageError as error:
    print(error)
reading = read_frames(writer.path)
print(len(reading.frames), reading.unfinished, reading.defect)
writer.write(keys[:5], vectors[:5])
print(len(read_frames(writer.close()).frames))
"""


def test_a_full_disk_is_an_error_and_leaves_whole_frames(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the second frame of 82 kB does not fit."""
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    error, state, after = done.stdout.splitlines()
    assert "cannot write vectors (File too large)" in error
    assert "Free space or choose another folder with --cache" in error
    assert state == "1 False None"
    assert after == "2"


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write vectors"):
        ShardWriter(tmp_path / "file" / "space")
