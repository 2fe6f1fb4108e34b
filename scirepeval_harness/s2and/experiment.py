"""S2AND's transfer experiment, run in the environment of the package `s2and`, not in our own.

For each data set as source, and for all of them together ("union"): a pairwise model is trained on
the source's training pairs and a clusterer tuned on its validation blocks; both then cluster the
test blocks of every data set (Subramanian et al., "S2AND", JCDL 2021). Written are B-cubed
precision, recall and F1 of each source and target, what the features were, and the two means of
each test block.

Features whose input a data set lacks everywhere (references, e-mails, name counts) are left out.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

FEATURES = (
    "name_similarity",
    "affiliation_similarity",
    "email_similarity",
    "coauthor_similarity",
    "venue_similarity",
    "year_diff",
    "title_similarity",
    "reference_features",
    "misc_features",
    "name_counts",
    "embedding_similarity",
    "journal_similarity",
    "advanced_name_similarity",
)
UNION = "union"
WITHOUT_NAMES = ("name_similarity", "name_counts", "advanced_name_similarity")
"""Left out of the second model, whose mean with the first decides, as in S2AND."""


def main() -> None:
    """Read the arguments, run, write JSON."""
    arguments = _arguments()
    # The language model is a download of its own; without it titles count as of unknown language.
    os.environ.setdefault("S2AND_SKIP_FASTTEXT", "1")
    sources = {name: _read(arguments, name) for name in arguments.datasets}
    features = [name for name in FEATURES if _available(name, sources, arguments.name_counts)]
    prepared = {name: _prepare(arguments, name, raw) for name, raw in sources.items()}
    groups = {name: [dataset] for name, dataset in prepared.items()}
    if len(prepared) > 1:
        groups[UNION] = list(prepared.values())
    fitted = {name: _fit(arguments, group, features) for name, group in groups.items()}
    rows: list[dict[str, Any]] = []
    blocks: list[dict[str, Any]] = []
    for source, clusterer in fitted.items():
        for target, dataset in prepared.items():
            row, own = _evaluate(source, target, clusterer, dataset)
            rows.append(row)
            blocks += own
    found = {"features": features, "b3": rows, "blocks": blocks, "settings": vars(arguments)}
    arguments.output.write_text(json.dumps(found, default=str, indent=1), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--embeddings", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--datasets", nargs="+", required=True)
    parser.add_argument("--name-counts", type=Path)
    parser.add_argument("--train-pairs", type=int, default=100_000)
    parser.add_argument("--test-pairs", type=int, default=10_000)
    parser.add_argument("--iterations", type=int, default=25)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--jobs", type=int, default=1)
    return parser.parse_args()


def _read(arguments: argparse.Namespace, name: str) -> dict[str, Any]:
    parts = {
        part: json.loads((arguments.data / name / f"{name}_{part}.json").read_text("utf-8"))
        for part in ("papers", "signatures", "clusters")
    }
    for paper in parts["papers"].values():
        # Missing in some sets, where S2AND expects a list or a text.
        paper["references"] = paper.get("references") or []
        for field in ("venue", "journal_name", "abstract"):
            paper[field] = paper.get(field) or ""
    parts["embeddings"] = str(arguments.embeddings / name / f"{name}_specter.pickle")
    return parts


def _available(feature: str, sources: dict[str, dict[str, Any]], name_counts: Path | None) -> bool:
    if feature == "name_counts":
        return name_counts is not None
    if feature == "reference_features":
        return any(p["references"] for raw in sources.values() for p in raw["papers"].values())
    if feature == "email_similarity":
        return any(
            signature["author_info"].get("email")
            for raw in sources.values()
            for signature in raw["signatures"].values()
        )
    return True


def _prepare(arguments: argparse.Namespace, name: str, raw: dict[str, Any]) -> Any:
    from s2and.data import ANDData

    counts = json.loads(arguments.name_counts.read_text()) if arguments.name_counts else False
    return ANDData(
        signatures=raw["signatures"],
        papers=raw["papers"],
        clusters=raw["clusters"],
        specter_embeddings=raw["embeddings"],
        name=name,
        mode="train",
        block_type="original",
        train_pairs_size=arguments.train_pairs,
        val_pairs_size=arguments.test_pairs,
        test_pairs_size=arguments.test_pairs,
        random_seed=arguments.seed,
        load_name_counts=counts,
        compute_reference_features=True,
        n_jobs=arguments.jobs,
    )


def _fit(arguments: argparse.Namespace, datasets: list[Any], features: list[str]) -> Any:
    import numpy as np
    from s2and.featurizer import FeaturizationInfo, featurize
    from s2and.model import Clusterer, FastCluster
    from s2and.model_pairwise import PairwiseModeler

    for dataset in datasets:
        if not dataset.specter_embeddings:
            raise SystemExit(f"no embedding belongs to a paper of data set {dataset.name}")
    wide = FeaturizationInfo(features_to_use=features)
    narrow = FeaturizationInfo([name for name in features if name not in WITHOUT_NAMES])
    splits = [
        featurize(dataset, wide, n_jobs=arguments.jobs, nameless_featurizer_info=narrow)
        for dataset in datasets
    ]
    train, val = (
        [np.concatenate(parts) for parts in zip(*(split[part] for split in splits), strict=True)]
        for part in (0, 1)
    )
    models = []
    for info, columns, constraints in (
        (wide, 0, wide.lightgbm_monotone_constraints),
        (narrow, 2, narrow.nameless_lightgbm_monotone_constraints),
    ):
        modeler = PairwiseModeler(
            n_iter=arguments.iterations,
            n_jobs=arguments.jobs,
            monotone_constraints=constraints,
            random_state=arguments.seed,
        )
        modeler.fit(train[columns], train[1], val[columns], val[1])
        models.append((info, modeler))
    clusterer = Clusterer(
        models[0][0],
        models[0][1].classifier,
        cluster_model=FastCluster(linkage="average"),
        n_iter=arguments.iterations,
        n_jobs=arguments.jobs,
        nameless_classifier=models[1][1].classifier,
        nameless_featurizer_info=models[1][0],
        random_state=arguments.seed,
    )
    clusterer.fit(datasets)
    return clusterer


def _evaluate(
    source: str, target: str, clusterer: Any, dataset: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from s2and.eval import cluster_eval

    metrics, by_signature = cluster_eval(dataset, clusterer, split="test")
    precision, recall, f1 = (float(value) for value in metrics["B3 (P, R, F1)"])
    row = {"source": source, "target": target, "precision": precision, "recall": recall, "f1": f1}
    blocks: dict[str, list[tuple[float, float]]] = {}
    for signature, (own_precision, own_recall, _) in by_signature.items():
        block = dataset.signatures[signature].author_info_given_block
        blocks.setdefault(block, []).append((float(own_precision), float(own_recall)))
    items = [
        {
            "source": source,
            "target": target,
            "block": block,
            "signatures": len(values),
            "precision": sum(value[0] for value in values) / len(values),
            "recall": sum(value[1] for value in values) / len(values),
        }
        for block, values in sorted(blocks.items())
    ]
    return row, items


if __name__ == "__main__":
    main()
