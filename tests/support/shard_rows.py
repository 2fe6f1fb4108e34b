"""Vectors of a store on disk, read without the code of the store's index."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scirepeval_harness.vectors.shards import read_frames


def stored(cache: Path) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Name of the space and key of every row, in every shard; and the vector of each."""
    rows: list[bytes] = []
    vectors: dict[bytes, bytes] = {}
    for path in sorted([*cache.rglob("*.vec"), *cache.rglob("*.tail")]):
        reading = read_frames(path)
        assert reading.defect is None
        raw = path.read_bytes()
        for frame, keys in zip(reading.frames, reading.keys, strict=True):
            table = np.frombuffer(raw[frame.start : frame.stop], np.float32)
            for key, vector in zip(keys[:, None], table.reshape(frame.rows, -1), strict=True):
                name = path.parent.name.encode() + key.tobytes()
                rows.append(name)
                vectors[name] = vector.tobytes()
    return rows, vectors
