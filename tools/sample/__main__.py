"""Write the data of the ``sample`` suite: ``python -m tools.sample DIR``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from scirepeval_harness.files import write_text
from tools.sample.build import SEED, sample_files


def main(arguments: Sequence[str] | None = None) -> None:
    """Write every file below the folder given, making folders as needed."""
    parser = argparse.ArgumentParser(prog="python -m tools.sample", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write, such as tasks/sample/data")
    parser.add_argument(
        "--seed", type=int, default=SEED, help="%(default)s is the committed data's"
    )
    chosen = parser.parse_args(arguments)
    for name, text in sample_files(chosen.seed).items():
        write_text(chosen.folder / name, text)


if __name__ == "__main__":
    main()
