"""``models list`` and ``models show``."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from scirepeval_harness.cli.models import app
from scirepeval_harness.errors import UnknownNameError


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.output.splitlines()]


def test_list_shows_every_model_with_base_and_roles() -> None:
    listed = lines(run("list"))
    assert listed[0] == "group name title kind base roles extra"
    assert len(listed) == 30
    assert (
        "scientific specter2 SPECTER2-Adapters transformer allenai/specter2_base 4 adapters models"
        in listed
    )
    assert (
        "scientific scirepeval-ctrl MTL CTRL transformer allenai/scirepeval_ctrl 4 control codes "
        "models" in listed
    )
    assert "lexical bm25 BM25 bm25 - - -" in listed
    groups = [line.split()[0] for line in listed[1:]]
    assert groups == sorted(groups)


def test_list_of_a_group_or_a_kind() -> None:
    lexical = [line.split()[1] for line in lines(run("list", "--group", "lexical"))[1:]]
    assert lexical == ["bm25", "tfidf"]
    modules = lines(run("list", "--kind", "sentence_transformers"))
    assert len(modules) == 15
    error = run("list", "--group", "lexicl").exception
    assert str(error) == "unknown group 'lexicl'. Did you mean lexical?"


def test_show_says_what_is_known_and_what_is_assumed() -> None:
    shown = lines(run("show", "e5-base-v2"))
    assert {
        "base intfloat/e5-base-v2 @ 1c644c92ad3ba1efdad3f1451a637716616a20e8",
        "prompt query query: {text}",
        "prompt document passage: {text}",
        "longest input 512 tokens",
        "licence MIT",
        "pooling mean, then length 1",
    } <= set(shown)
    assert any(line.startswith("assumed pooling, licence") for line in shown)


def test_export_merged_says_what_it_cannot_express(tmp_path: Path) -> None:
    error = run("export-merged", "bm25", "query", "--output", str(tmp_path / "m")).exception
    assert str(error).startswith("model bm25, query: a model without a transformer")


def test_list_as_json() -> None:
    records = {record["name"]: record for record in json.loads(run("list", "--json").output)}
    assert records["specter2"]["adapters"]["query"]["repo"] == "allenai/specter2_adhoc_query"


def test_show_adapters_with_revisions() -> None:
    shown = lines(run("show", "specter2@abc"))
    assert "base allenai/specter2_base @ abc" in shown
    assert any(line.startswith("role query allenai/specter2_adhoc_query @ main") for line in shown)
    assert "maximum length 512 tokens" in shown
    assert "needs pip install 'scirepeval-harness[models]'" in shown


def test_show_settings_of_lexical_models() -> None:
    shown = lines(run("show", "bm25"))
    assert {"setting k1 1.5", "setting b 0.75", "setting method lucene"} <= set(shown)
    assert "applies to rankings and citation pools (it has no vectors)" in shown


def test_show_takes_what_run_takes(tmp_path: Path) -> None:
    shown = lines(run("show", "org/model"))
    assert "notes Not registered; assumed: --pooling cls, --max-length 512." in shown
    (tmp_path / "proximity.npz").write_bytes(b"")
    shown = lines(run("show", f"mine={tmp_path}"))
    assert f"vectors proximity {tmp_path / 'proximity.npz'}" in shown
    assert json.loads(run("show", "tfidf", "--json").output)["kind"] == "tfidf"


def test_an_unknown_name_is_raised_for_the_command_line_to_print() -> None:
    assert isinstance(run("show", "spectr2").exception, UnknownNameError)
