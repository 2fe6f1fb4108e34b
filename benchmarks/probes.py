"""Grid searches of the probes: `--probe fast` against scikit-learn's GridSearchCV on all cores.

Real vectors are those of all-MiniLM-L6-v2 for title and for abstract side by side (768 numbers) of
the arXiv papers among the real data sets, with their archive, categories and year as labels.
The sets end at 5,000 papers; larger sizes have made vectors: a power-law spectrum around a common
mean, as embeddings have, with linear labels and noise. Both are unscaled, of a mean length of 15,
which is where liblinear struggles at large C.

    python benchmarks/probes.py --kinds single --sizes 2000
    python benchmarks/probes.py --sizes 2000 8000 20000 --device cuda:0

Seconds are wall clock; both sides may use all cores. The work is the whole of a probe: grid search,
refit, predictions.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray
from support import add_data, interleaved, parser, show, write

from scirepeval_harness.evaluations import metrics
from scirepeval_harness.probes.fit import ProbeJob, fit_samples
from scirepeval_harness.probes.problem import Kind, ProbeFit

GOALS = {"single": 20.0, "regression": 10.0, "multi": 20.0}
CLASSES = {"single": 11, "regression": 1, "multi": 20}
TEST_ROWS = 1_000
WIDTH = 768
LENGTH = 15.0


@dataclass(frozen=True)
class Case:
    """One data set: the first rows train, the last :data:`TEST_ROWS` test."""

    name: str
    kind: Kind
    vectors: NDArray[np.float32]
    labels: NDArray[np.generic]

    def cut(self, size: int) -> Case | None:
        """The same test rows with fewer train rows; None if there are not enough."""
        if size + TEST_ROWS > len(self.vectors):
            return None
        rows = np.r_[:size, len(self.vectors) - TEST_ROWS : len(self.vectors)]
        return Case(self.name, self.kind, self.vectors[rows], self.labels[rows])


def made(kind: Kind, rows: int) -> Case:
    """Vectors and labels from a fixed seed."""
    rng = np.random.default_rng(42)
    scale = np.arange(1, WIDTH + 1) ** -0.5
    axes = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
    plain = rng.normal(size=(rows, WIDTH)) * scale
    centre = 1.5 * (rng.normal(size=WIDTH) * scale) @ axes
    truth = plain @ (rng.normal(size=(WIDTH, CLASSES[kind])) * scale[:, None] ** 0.5)
    truth /= truth.std(0)
    noisy = truth + (1.0 if kind == "regression" else 0.7) * rng.normal(size=truth.shape)
    if kind == "single":
        labels = (noisy + np.linspace(0, 2, CLASSES[kind])).argmax(1)
    elif kind == "multi":
        shares = np.linspace(0.02, 0.3, CLASSES[kind])
        limits = [np.quantile(noisy[:, k], 1 - share) for k, share in enumerate(shares)]
        labels = (noisy > limits).astype(np.int64)
    else:
        labels = np.exp(0.5 * noisy[:, 0])
    return Case("made", kind, _lengths(plain @ axes + centre), labels)


def real(folder: Path) -> list[Case]:
    """The arXiv papers with all three kinds of labels; empty without the data or the weights."""
    path = folder / "arxiv5k" / "meta.jsonl"
    if not path.is_file():
        print(f"no real vectors: {path} is not there; pass --data FOLDER")
        return []
    with path.open(encoding="utf-8") as lines:
        papers = [json.loads(line) for line in lines]
    order = np.random.default_rng(42).permutation(len(papers))
    papers = [papers[row] for row in order]
    vectors = _lengths(np.hstack([_encode(papers, "title"), _encode(papers, "abstract")]))
    names = [str(paper["categories"]).split() for paper in papers]
    archives = [found[0].partition(".")[0] for found in names]
    common = [name for name, _ in Counter(archives).most_common(CLASSES["single"])]
    kept = np.array([name in common for name in archives])
    codes = np.array([common.index(name) for name in archives if name in common])
    counted = Counter(name for found in names for name in found)
    columns = [name for name, _ in counted.most_common(CLASSES["multi"])]
    matrix = np.array([[int(name in found) for name in columns] for found in names])
    years = np.array([float(paper["year"]) for paper in papers])
    return [
        Case("arXiv archive", "single", vectors[kept], codes),
        Case("arXiv categories", "multi", vectors, matrix),
        Case("arXiv year", "regression", vectors, years),
    ]


def _encode(papers: list[dict[str, object]], part: str) -> NDArray[np.float32]:
    from scirepeval_harness.model.base import EncodeOptions, build_model
    from scirepeval_harness.model.registry import load_models
    from scirepeval_harness.model.transformer import TransformerEncoder
    from scirepeval_harness.roles import Role
    from scirepeval_harness.task.dataset import Document

    model = build_model(load_models()["minilm"], EncodeOptions(dtype="float32"))
    assert isinstance(model, TransformerEncoder)
    texts = [Document(str(row), (str(paper[part]),)) for row, paper in enumerate(papers)]
    return np.asarray(model.encode(texts, Role.CLASSIFICATION, lambda count: None))


def _lengths(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    return (vectors * (LENGTH / np.linalg.norm(vectors, axis=1).mean())).astype(np.float32)


def fit(case: Case, way: str, device: str | None) -> Callable[[], ProbeFit]:
    """The whole work of one probe: grid search, refit, predictions."""
    train, test = case.vectors[:-TEST_ROWS], case.vectors[-TEST_ROWS:]
    labels = case.labels[:-TEST_ROWS]
    job = ProbeJob(
        case.kind, train, labels, [np.arange(len(train))], test, grid=True, seed=42,
        probe="fast" if way == "fast" else "sklearn", device=device if way == "fast" else None,
    )  # fmt: skip
    # All processors for the reference, whatever memory it takes; the fast probe chooses itself.
    processes = None if way == "fast" else cpu_count()
    return lambda: next(fit_samples(job, processes))


def score(case: Case, found: ProbeFit) -> float:
    """The protocol's metric of the kind, x 100."""
    measure = metrics.kendalltau if case.kind == "regression" else metrics.f1_macro
    return 100 * float(measure(case.labels[-TEST_ROWS:], found.predictions))


def compare(case: Case, device: str | None, repeats: int) -> dict[str, object]:
    """Times and scores of both ways, run in turn."""
    timed = interleaved({way: fit(case, way, device) for way in ("fast", "reference")}, repeats)
    quick, plain = timed["fast"], timed["reference"]
    scores = {way: score(case, done.result) for way, done in timed.items()}
    same = np.array_equal(quick.result.chosen_c or (), plain.result.chosen_c or ())
    return {
        "kind": case.kind,
        "vectors": case.name,
        "rows": len(case.vectors) - TEST_ROWS,
        "reference s": round(min(plain.wall), 2),
        "fast s": round(min(quick.wall), 2),
        "ratio": round(min(plain.wall) / min(quick.wall), 1),
        "goal": GOALS[case.kind],
        "reference score": round(scores["reference"], 2),
        "fast score": round(scores["fast"], 2),
        "difference": round(scores["fast"] - scores["reference"], 2),
        "same C": same,
        "given back": quick.result.fell_back_to_reference,
        "not converged": f"{plain.result.unconverged} of {plain.result.fits}",
    }


def main() -> None:
    options = parser(__doc__)
    add_data(options, documents=0)
    options.set_defaults(repeats=1)
    options.add_argument("--sizes", type=int, nargs="+", default=[2_000])
    options.add_argument("--kinds", nargs="+", choices=list(GOALS), default=list(GOALS))
    options.add_argument("--vectors", choices=["real", "made", "both"], default="both")
    options.add_argument("--device", help="where the fast probe computes")
    chosen = options.parse_args()
    cases = real(chosen.data) if chosen.vectors != "made" else []
    if chosen.vectors != "real":
        cases += [made(kind, max(chosen.sizes) + TEST_ROWS) for kind in chosen.kinds]
    for way in ("fast", "reference"):
        fit(made("single", TEST_ROWS + 50), way, chosen.device)()  # imports, and starts processes
    rows = []
    for size in chosen.sizes:
        for case in cases:
            part = case.cut(size) if case.kind in chosen.kinds else None
            if part is not None:
                rows.append(compare(part, chosen.device, chosen.repeats))
                print(rows[-1], flush=True)
                write(chosen, rows)
    if rows:
        show(f"grid searches, {WIDTH} dimensions, {TEST_ROWS:,} test rows, best of "
             f"{chosen.repeats}", rows)  # fmt: skip


if __name__ == "__main__":
    main()
