"""S2AND's transfer experiment, run in the environment of the package ``s2and``, not in our own.

The benchmark names the script ``custom_block_transfer_experiment_seed_paper.py`` of
github.com/allenai/S2AND (commit 17b5c7a), which the package does not ship. This follows its
defaults with the package's public classes. On each data set, two pairwise models are trained (with
and without names) and a clusterer is tuned; it clusters the test blocks of every data set. In the
row "union" it is trained on all data sets but the one that it clusters. The row "s2" scores the
clusters that the data itself names, where it does.

Feature groups whose input no data set has are left out. Nothing is downloaded. One file, because
that environment does not have this package.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
# Groups that the second model does without; the two models' means decide.
WITH_NAMES = ("name_similarity", "name_counts", "advanced_name_similarity")
OF_PAPERS = {
    "venue_similarity": "venue",
    "year_diff": "year",
    "reference_features": "references",
    "journal_similarity": "journal_name",
}
OF_AUTHORS = {"affiliation_similarity": "affiliations", "email_similarity": "email"}
# Files of S2AND's release: how frequent names are, and fastText's language model.
NAME_COUNTS, LANGUAGES = "name_counts.pickle", "lid.176.bin"
UNION, GIVEN = "union", "s2"
# With fewer, a tenth of the blocks each for tuning and for testing leaves one side empty.
FEWEST_BLOCKS = 6
PERSON = dict.fromkeys(("first", "middle", "last", "suffix", "email"))
PAPER = dict.fromkeys(("title", "abstract", "venue", "journal_name", "year"))

Raw = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class DataSet:
    """A data set with its pairs to train on and to tune on: features, labels, nameless features."""

    name: str
    data: Any
    train: Any
    val: Any


def main() -> None:
    """Read the arguments, run, write JSON. Progress bars of libraries go to standard error."""
    arguments = _arguments()
    with contextlib.redirect_stdout(sys.stderr):
        _run(arguments)


def _run(arguments: argparse.Namespace) -> None:
    raw = {name: read(arguments.data / name, name) for name in arguments.datasets}
    left_out = missing_inputs(raw.values(), arguments.data)
    splits = {name: _split(arguments.data, name) for name in raw}
    for name, parts in raw.items():
        check(name, parts, splits[name])
    _prepare_package(arguments, left_out)
    features = [name for name in FEATURES if name not in left_out]
    groups = _Groups(features)
    sets = []
    for name, parts in raw.items():
        say(f"s2and: reading {name}")
        sets.append(_data_set(arguments, name, parts, splits[name], groups))
    given = all(own["author_id"] for parts in raw.values() for own in parts["signatures"].values())
    rows: list[dict[str, Any]] = []
    blocks: list[dict[str, Any]] = []
    for row, own in _cells(arguments, sets, groups, given):
        say(f"s2and: {row['source']} -> {row['target']}  B3 F1 {row['f1']:.3f}")
        rows.append(row)
        blocks += own
    found = {
        "features": features,
        "left_out": left_out,
        "fixed_splits": sorted(name for name, split in splits.items() if split),
        "b3": rows,
        "blocks": blocks,
    }
    arguments.output.write_text(json.dumps(found, indent=1), encoding="utf-8")


def read(folder: Path, name: str) -> dict[str, Raw]:
    """Papers, signatures and clusters of a data set, with every field that the package reads."""
    papers, signatures, clusters = (
        json.loads((folder / f"{name}_{part}.json").read_text(encoding="utf-8"))
        for part in ("papers", "signatures", "clusters")
    )
    for part, rows in (("papers", papers), ("signatures", signatures), ("clusters", clusters)):
        check_rows(folder / f"{name}_{part}.json", rows, NEEDED[part])
    return {
        "papers": {
            key: PAPER | {"authors": []} | own | {"references": own.get("references") or []}
            for key, own in papers.items()
        },
        "signatures": {
            key: {"author_id": None}
            | own
            | {"author_info": PERSON | {"affiliations": []} | own["author_info"]}
            for key, own in signatures.items()
        },
        "clusters": clusters,
    }


def check_rows(path: Path, rows: Any, needed: Mapping[str, tuple[type, ...]]) -> None:
    """Refuse rows without a field that the package reads, or of another type; ends the program."""
    if not isinstance(rows, dict):
        raise SystemExit(f"{path}: not a JSON object; take the file of S2AND's release")
    for key, row in rows.items():
        for place, types in needed.items():
            value: Any = row
            for field in place.split("."):
                value = value.get(field) if isinstance(value, dict) else None
            if not isinstance(value, types) or isinstance(value, bool):
                raise SystemExit(f"{path}: {key}: {place} is {value!r}; complete the file")


NEEDED: dict[str, dict[str, tuple[type, ...]]] = {
    "papers": {"paper_id": (str, int)},
    "signatures": {
        "paper_id": (str, int),
        "author_info": (dict,),
        "author_info.block": (str,),
        "author_info.position": (int,),
    },
    "clusters": {"signature_ids": (list,)},
}


def missing_inputs(sets: Any, folder: Path) -> dict[str, str]:
    """What is left out and why: feature groups, and the language model behind one of them."""
    parts = list(sets)
    missing = {
        group: f"no paper has {field}"
        for group, field in OF_PAPERS.items()
        if not any(own[field] for raw in parts for own in raw["papers"].values())
    }
    missing |= {
        group: f"no signature has {field}"
        for group, field in OF_AUTHORS.items()
        if not any(own["author_info"][field] for raw in parts for own in raw["signatures"].values())
    }
    if not (folder / NAME_COUNTS).is_file():
        missing["name_counts"] = f"no file {NAME_COUNTS}"
    if not (folder / LANGUAGES).is_file():
        missing["fastText's language of a title"] = f"no file {LANGUAGES}"
    return missing


def check(name: str, parts: Mapping[str, Raw], split: Mapping[str, Any] | None) -> None:
    """Refuse a data set that the package's own split cannot divide; ends the program."""
    blocks = {own["author_info"]["block"] for own in parts["signatures"].values()}
    if split is None and len(blocks) < FEWEST_BLOCKS:
        raise SystemExit(
            f"data set {name} has {len(blocks)} name blocks, S2AND's split needs {FEWEST_BLOCKS}"
        )


def say(line: str) -> None:
    """One line of progress on the program's own standard output."""
    assert sys.__stdout__ is not None
    sys.__stdout__.write(line + "\n")
    sys.__stdout__.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("data", "embeddings", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("train-pairs", "test-pairs", "iterations", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--datasets", nargs="+", required=True)
    parser.add_argument("--jobs", type=int, default=1)
    return parser.parse_args()


def _split(data: Path, name: str) -> dict[str, Any] | None:
    """The benchmark's own train, dev and test blocks, where its folder of them is there."""
    path = data / "blocks" / f"block_sigs_{name}.json"
    if not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    return {f"{own}_blocks": found[key] for own, key in SIDES.items()}


SIDES = {"train": "train", "val": "dev", "test": "test"}


def _prepare_package(arguments: argparse.Namespace, left_out: Mapping[str, str]) -> None:
    """Point the package at the data and its caches at the output's folder, before it is loaded."""
    config = arguments.output.parent / "path_config.json"
    config.write_text(json.dumps({"main_data_dir": str(arguments.data), "internal_data_dir": ""}))
    os.environ["S2AND_PATH_CONFIG"] = str(config)
    os.environ["S2AND_CACHE"] = str(arguments.output.parent / "cache")
    os.environ["S2AND_BACKEND"] = "python"
    os.environ["S2AND_SKIP_FASTTEXT"] = str(int(any(LANGUAGES in why for why in left_out.values())))
    # Threads that spin while they wait stop a machine that has other work.
    os.environ.update(OMP_NUM_THREADS=str(arguments.jobs), OMP_WAIT_POLICY="PASSIVE")


class _Groups:
    """The package's two feature lists, with and without names."""

    def __init__(self, features: Sequence[str]) -> None:
        from s2and.featurizer import FeaturizationInfo

        self.all = FeaturizationInfo(features_to_use=list(features))
        self.nameless = FeaturizationInfo([name for name in features if name not in WITH_NAMES])
        self.name_counts = "name_counts" in features
        self.references = "reference_features" in features


def _data_set(
    arguments: argparse.Namespace,
    name: str,
    parts: Mapping[str, Raw],
    split: Mapping[str, Any] | None,
    groups: _Groups,
) -> DataSet:
    from s2and.data import ANDData
    from s2and.featurizer import featurize

    data = ANDData(
        signatures=parts["signatures"],
        papers=parts["papers"],
        clusters=parts["clusters"],
        specter_embeddings=str(arguments.embeddings / name / f"{name}_specter.pickle"),
        name=name,
        mode="train",
        block_type="s2",
        train_pairs_size=arguments.train_pairs,
        val_pairs_size=arguments.test_pairs,
        test_pairs_size=arguments.test_pairs,
        random_seed=arguments.seed,
        load_name_counts=groups.name_counts,
        compute_reference_features=groups.references,
        n_jobs=arguments.jobs,
        **(split or {}),
    )
    if not data.specter_embeddings:
        raise SystemExit(f"no embedding belongs to a paper of data set {name}")
    train, val, _ = featurize(
        data, groups.all, n_jobs=arguments.jobs, nameless_featurizer_info=groups.nameless
    )
    return DataSet(name, data, train, val)


def _cells(
    arguments: argparse.Namespace, sets: Sequence[DataSet], groups: _Groups, given: bool
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Every cell of the table with its blocks, row by row."""
    for source in sets:
        clusterer = _fit(arguments, [source], groups)
        for target in sets:
            yield _evaluate(source.name, target, clusterer)
    for target in sets if len(sets) > 1 else ():
        clusterer = _fit(arguments, [own for own in sets if own is not target], groups)
        yield _evaluate(UNION, target, clusterer)
        if given:
            yield _evaluate(GIVEN, target, clusterer)


def _fit(arguments: argparse.Namespace, sets: Sequence[DataSet], groups: _Groups) -> Any:
    import numpy as np
    from hyperopt import hp
    from lightgbm import LGBMClassifier
    from s2and.model import Clusterer, FastCluster
    from s2and.model_pairwise import PairwiseModeler

    models = []
    for info, columns in ((groups.all, 0), (groups.nameless, 2)):
        # The package's own estimator, told to give equal models whatever the threads do.
        estimator = LGBMClassifier(
            objective="binary",
            metric="auc",
            n_jobs=arguments.jobs,
            verbose=-1,
            tree_learner="data",
            random_state=arguments.seed,
            deterministic=True,
            force_row_wise=True,
        )
        modeler = PairwiseModeler(
            estimator=estimator,
            n_iter=arguments.iterations,
            monotone_constraints=info.lightgbm_monotone_constraints,
            random_state=arguments.seed,
        )
        modeler.fit(
            np.vstack([own.train[columns] for own in sets]),
            np.hstack([own.train[1] for own in sets]),
            np.vstack([own.val[columns] for own in sets]),
            np.hstack([own.val[1] for own in sets]),
        )
        models.append(modeler.classifier)
    clusterer = Clusterer(
        groups.all,
        models[0],
        cluster_model=FastCluster(linkage="average"),
        search_space={"eps": hp.uniform("choice", 0, 1)},
        n_jobs=arguments.jobs,
        nameless_classifier=models[1],
        nameless_featurizer_info=groups.nameless,
        random_state=arguments.seed,
        use_default_constraints_as_supervision=False,
    )
    clusterer.fit([own.data for own in sets])
    return clusterer


def _evaluate(
    source: str, target: DataSet, clusterer: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from s2and.eval import cluster_eval

    metrics, by_signature = cluster_eval(
        target.data, clusterer, split="test", use_s2_clusters=source == GIVEN
    )
    names = {"source": source, "target": target.name}
    means = zip(("precision", "recall", "f1"), metrics["B3 (P, R, F1)"], strict=True)
    blocks: dict[str, list[tuple[float, float]]] = {}
    for signature, (precision, recall, _) in by_signature.items():
        own = blocks.setdefault(target.data.signature_to_block[signature], [])
        own.append((float(precision), float(recall)))
    items = [
        names
        | {
            "block": block,
            "signatures": len(values),
            "precision": sum(value[0] for value in values) / len(values),
            "recall": sum(value[1] for value in values) / len(values),
        }
        for block, values in sorted(blocks.items())
    ]
    return names | {name: float(value) for name, value in means}, items


if __name__ == "__main__":
    main()
