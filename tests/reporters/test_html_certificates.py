"""Certificates on file reach the HTML report, of a session and of a stored run."""

from pathlib import Path

import pytest

from pytest_evals.certificate import Certificate, FalsePasses, Labels, Rate
from pytest_evals.cli import main
from pytest_evals.storage.certificates import write_certificate

pytestmark = pytest.mark.heavy

DATASET = """
name: shop
models: [{id: m, provider: script}]
scorers: [contains: fine]
cases:
  - {id: a, input: how, script: [{kind: chat_response, content: fine}]}
"""


def test_a_session_and_an_export_draw_them(pytester: pytest.Pytester) -> None:
    """Beside the dataset, read when the report is written; a broken file is passed over."""
    (pytester.path / "evals").mkdir()
    (pytester.path / "evals" / "shop.evals.yaml").write_text(DATASET)
    written = write_certificate(
        pytester.path / "evals",
        Certificate(
            judge="helpful",
            dataset="shop",
            fingerprint="f" * 16,
            labels=Labels(digest="0" * 16, items=40),
            metrics={"kappa": Rate(value=0.8, low=0.6, high=0.9, n=40)},
            dangerous=FalsePasses(count=0, n=12),
        ),
    )
    written.with_name("broken.json").write_text("{")
    done = pytester.runpytest_subprocess("--evals", "--evals-html=session.html")
    assert 0 == done.ret
    store = Path(".evals") / "evals.sqlite"
    assert 0 == main(["export", "latest", "--store", str(store), "-o", "stored.html"])
    for name in ("session.html", "stored.html"):
        text = (pytester.path / name).read_text(encoding="utf-8")
        assert 1 == text.count("against people</h3>")
        assert "Measured on 40 answers labelled" in text
