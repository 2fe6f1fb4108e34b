"""One list of linters: what `make lint`, `make test` and the hooks before a commit run."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def recipe(target: str) -> list[str]:
    """The commands of a target, with the tools' folder written out."""
    body = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert body, target
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in body[1].splitlines()]


def test_the_hooks_run_what_make_lint_runs() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert [hook["entry"] for hook in hooks] == recipe("lint")


def test_the_hooks_need_no_download_and_look_at_everything() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    for hook in (hook for repo in config["repos"] for hook in repo["hooks"]):
        # A contract between modules, or a type, breaks in files that the commit does not touch.
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)


def test_the_full_tests_lint_first_and_ci_runs_them() -> None:
    [needs] = re.findall(r"^test: (.*?)\s*##", MAKEFILE, re.MULTILINE)
    assert needs == "lint test-transformers5"
    runs = (ROOT / ".ci" / "run").read_text().splitlines()
    assert runs[-1] == "make test"
