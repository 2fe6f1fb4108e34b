"""The probes: `exact` and `fast` against scikit-learn's GridSearchCV on all cores.

Made vectors of 768 dimensions: isotropic; SPECTER-like (norm 18, mean cosine 0.9); a power-law
spectrum. Few-shot: 150 samples, without grids (16 to 64 rows, 11 classes) and with (20 labels).

    python benchmarks/probes.py --sizes 2000 --kinds regression single
    python benchmarks/probes.py --sizes 2000 8000 20000 --output results.json
    python benchmarks/probes.py --kinds multi "few multi" --labels 4 --samples 10

All may use all cores. Each ratio is of wall clocks in one process, one after the other; where other
work takes a part of the machine, that of processor seconds is the one to look at.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray
from support import parser, show, write

from scirepeval_harness.options import Probe
from scirepeval_harness.probes.fit import ProbeJob, can_compile, fit_samples
from scirepeval_harness.probes.problem import Kind, ProbeFit

WIDTH, TEST_ROWS, SAMPLES = 768, 1_000, 150
CLASSES, LABELS = 11, 20
GOALS = {"regression": 10, "single": 20, "multi": 15, "few": 10, "few multi": 10}
PROBES = ("exact", "fast", "sklearn")
SPECTRA = ("isotropic", "specter", "power")


def made(
    spectrum: str, kind: Kind, rows: int, labels: int = LABELS
) -> tuple[NDArray[np.float32], NDArray[np.generic]]:
    """Vectors and noisy linear labels, ``labels`` of them a row at most, from a fixed seed."""
    columns = {"single": CLASSES, "multi": labels, "regression": 1}[kind]
    rng = np.random.default_rng(42)
    plain = rng.normal(size=(rows, WIDTH))
    if spectrum == "power":
        plain *= np.arange(1, WIDTH + 1) ** -0.5
    z = plain @ rng.normal(size=(WIDTH, columns))
    z = z / z.std(0) + (1.0 if kind == "regression" else 0.7) * rng.normal(size=z.shape)
    x = plain / np.linalg.norm(plain, axis=1).mean()
    if spectrum == "specter":
        mean = rng.normal(size=WIDTH)
        x = 18 * (np.sqrt(0.9) * mean / np.linalg.norm(mean) + np.sqrt(0.1) * x)
    elif spectrum == "power":
        x = 15 * x
    else:
        x = np.sqrt(WIDTH) * x
    if kind == "single":
        found = (z + np.linspace(0, 2, z.shape[1])).argmax(1)
    elif kind == "multi":
        shares = np.linspace(0.02, 0.3, z.shape[1])
        found = np.stack([c > np.quantile(c, 1 - s) for c, s in zip(z.T, shares, strict=True)], 1)
    else:
        found = np.exp(0.5 * z[:, 0])
    return x.astype(np.float32), found * 1


def timed(work: Callable[[], list[ProbeFit]]) -> tuple[list[ProbeFit], float, float]:
    """Result, wall clock, and seconds of processors, those of ended processes too."""
    wall, before = time.perf_counter(), sum(os.times()[:4])
    found = work()
    return found, time.perf_counter() - wall, sum(os.times()[:4]) - before


def compare(
    name: str,
    spectrum: str,
    rows: int,
    probes: Sequence[Probe],
    labels: int = LABELS,
    count: int = SAMPLES,
) -> dict[str, object]:
    """One row of the table; the last probe is what the others are held against. ``count`` few-shot
    samples."""
    kind: Kind = {"few": "single", "few multi": "multi"}.get(name, name)
    x, y = made(spectrum, kind, rows + TEST_ROWS, labels)
    rng = np.random.default_rng(7)
    samples, grid = [np.arange(rows)], True
    if name == "few":
        samples, grid = (
            [rng.choice(rows, 16 + k % 49, replace=False) for k in range(count)],
            False,
        )
    elif name == "few multi":
        samples = [rng.choice(rows, 150 + k % 50, replace=False) for k in range(count)]
    train, test = x[:rows], x[rows:]
    job = ProbeJob(kind, train, y[:rows], samples, test, grid=grid, seed=42, probe=probes[-1])
    # All processors for scikit-learn, whatever memory it takes.
    processes = {"sklearn": cpu_count() if grid else 1}
    found: dict[Probe, list[ProbeFit]] = {}
    wall: dict[Probe, float] = {}
    cpu: dict[Probe, float] = {}
    for probe in probes:
        own = replace(job, probe=probe)
        found[probe], wall[probe], cpu[probe] = timed(
            lambda own=own: list(fit_samples(own, processes.get(own.probe)))
        )
    wanted = found[probes[-1]]
    scale = max(float(np.abs(fit.predictions).max()) for fit in wanted) or 1.0
    row: dict[str, object] = {"probe": name, "vectors": spectrum, "rows": rows}
    row["labels"] = y.shape[1] if kind == "multi" else ""
    row["samples"] = count if name.startswith("few") else ""
    row |= {f"{probe} s": round(wall[probe], 2) for probe in probes}
    row |= {f"{probe} cpu s": round(cpu[probe], 2) for probe in probes}
    for probe in probes[:-1]:
        pairs = list(zip(found[probe], wanted, strict=True))
        row[f"{probe} ratio"] = round(wall[probes[-1]] / wall[probe], 1)
        row[f"{probe} cpu ratio"] = round(cpu[probes[-1]] / cpu[probe], 1)
        row[f"{probe} same C"] = all(a.chosen_c == b.chosen_c for a, b in pairs)
        apart = [np.abs(a.predictions - b.predictions).max() for a, b in pairs]
        row[f"{probe} largest difference"] = float(max(apart)) / scale
    row["goal"] = GOALS[name]
    row["unconverged"] = f"{sum(b.unconverged for b in wanted)} of {sum(b.fits for b in wanted)}"
    return row


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--sizes", type=int, nargs="+", default=[2_000])
    options.add_argument("--kinds", nargs="+", choices=list(GOALS), default=list(GOALS))
    options.add_argument("--vectors", nargs="+", choices=SPECTRA, default=list(SPECTRA))
    options.add_argument("--probes", nargs="+", choices=PROBES, default=PROBES)
    options.add_argument("--labels", type=int, default=LABELS, help="of multi-label probes")
    options.add_argument("--samples", type=int, default=SAMPLES, help="few-shot samples")
    chosen = options.parse_args()
    assert can_compile(), "numba is needed"
    compare("regression", "power", 1_000, chosen.probes)  # imports, and starts processes
    rows = []
    for size in chosen.sizes:
        for kind in chosen.kinds:
            for spectrum in chosen.vectors:
                if kind.startswith("few") and size != chosen.sizes[0]:
                    continue
                row = compare(kind, spectrum, size, chosen.probes, chosen.labels, chosen.samples)
                rows.append(row)
                print(row, flush=True)
                write(chosen, rows)
    show(f"probes, {WIDTH} dimensions, {TEST_ROWS:,} test rows", rows)


if __name__ == "__main__":
    main()
