"""From descriptions to models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scirepeval_harness.errors import MissingExtraError, UsageError
from scirepeval_harness.extensions import MODEL_KINDS
from scirepeval_harness.model.base import EncodeOptions, build_model, fetch_model
from scirepeval_harness.model.lexical import Bm25Ranker, TfidfEncoder
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.model.transformer import TransformerEncoder


def spec_of(kind: str, **more: object) -> ModelSpec:
    raw = {"name": "m", "title": "M", "kind": kind, **more}
    spec: ModelSpec = MODEL_KINDS.get(kind).spec.model_validate(raw)
    return spec


def test_every_kind(folders: dict[str, Path]) -> None:
    base = {"path": str(folders["allenai/specter"])}
    assert isinstance(build_model(spec_of("bm25"), EncodeOptions()), Bm25Ranker)
    assert isinstance(build_model(spec_of("tfidf"), EncodeOptions()), TfidfEncoder)
    made = build_model(spec_of("transformer", base=base), EncodeOptions(device="cpu"))
    assert isinstance(made, TransformerEncoder)


@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_missing_libraries(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    spec = spec_of("transformer", base={"path": str(folders["allenai/specter"])})
    with pytest.raises(MissingExtraError) as error:
        build_model(spec, EncodeOptions())
    assert f"{missing} not installed" in str(error.value)
    assert "pip install 'scirepeval-harness[models]'" in str(error.value)


def test_wrong_options(folders: dict[str, Path]) -> None:
    spec = spec_of("transformer", base={"path": str(folders["allenai/specter"])})
    with pytest.raises(UsageError, match="--dtype"):
        build_model(spec, EncodeOptions(device="cpu", dtype="int4"))


def test_models_without_weights_need_no_fetching() -> None:
    assert fetch_model(spec_of("bm25")) == ()


def test_identity_and_text_need_no_torch(folders: dict[str, Path]) -> None:
    code = (
        "import sys\n"
        "from scirepeval_harness.model.base import build_model, EncodeOptions\n"
        "from scirepeval_harness.model.kinds import TransformerSpec\n"
        "from scirepeval_harness.task.dataset import Document\n"
        "from scirepeval_harness.roles import Role\n"
        "m = build_model(TransformerSpec(name='m', title='m', kind='transformer',"
        " base={'path': sys.argv[1]}), EncodeOptions(device='cpu'))\n"
        "print(m.identity(Role.QUERY).details['base_revision'],"
        " m.text(Document('a', ('T', 'A')), Role.QUERY))\n"
        "print([name for name in ('torch', 'transformers', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folders["allenai/specter"])],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:2] == ["local T [SEP] A", "[]"]
