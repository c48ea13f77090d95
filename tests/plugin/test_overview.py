"""The table of models: what it tells, and what it leaves out where there is no room."""

import json

import pytest


@pytest.fixture
def shop(write):
    """Write a dataset of 20 cases, of which the program answers the first `wrong` wrongly."""

    def shop(wrong: int, **extra) -> str:
        write(
            "bot.py",
            f"""
            def answer(text):  # another size each time: {"." * wrong}
                return "wrong" if int(text) < {wrong} else "right"
            """,
        )
        data = {
            "name": "shop",
            "samples": 3,
            "models": [{"id": "bot", "provider": "python", "target": "bot.py:answer"}],
            "scorers": [{"contains": "right"}],
            "gates": ["no regressions", "pass@1 >= 0.5"],
            "cases": [{"id": f"c{i:02}", "input": str(i)} for i in range(20)],
            **extra,
        }
        return write("shop.yaml", json.dumps(data))

    return shop


def rows(result) -> list[str]:
    """Return the lines of the block that are not empty."""
    begin = next(i for i, line in enumerate(result.outlines) if " evals " in line)
    return [line for line in result.outlines[begin + 1 :] if line]


def test_it_tells_the_change_and_its_verdict(shop, evals, monkeypatch):
    """Rate with n and interval, pass@k, pass^k, the change; then the worst cases and the files."""
    monkeypatch.setenv("COLUMNS", "140")
    evals("--evals-update-baseline", shop(0))
    found = rows(evals("--evals-csv=out.csv", "--evals-json=deep/out.json", shop(4)))
    head, row = found[0].split(), found[1]
    assert head[:3] == ["model", "passed", "95"]
    assert {"change", "pass@3", "pass^3", "score", "cost"} <= set(head)
    assert "48/60 80%" in row
    assert "\N{MINUS SIGN}20.0 regressed" in row
    assert found[2] == "worst cases of bot: c00 0/3, c01 0/3, c02 0/3, c03 0/3"
    why = found[3:9]
    assert [line.split()[0] for line in why] == [
        "c00:",
        "input:",
        "c01:",
        "input:",
        "c02:",
        "input:",
    ]
    assert why[0].startswith("  c00: ")
    assert why[1] == "      input: 0"
    assert "reports: json deep/out.json, csv out.csv" in found
    assert "next: pytest-evals show latest --failed; pytest-evals diff latest" in found


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_it_fits_the_terminal(width, shop, evals, monkeypatch):
    """What is missed least goes first; the rate and the model always stay."""
    monkeypatch.setenv("COLUMNS", str(width))
    head, row = rows(evals(shop(4)))[:2]
    assert len(head) <= width
    assert len(row) <= width
    assert {"model", "passed"} <= set(head.split())
    assert ("p50" in head) == (width > 80)


def test_what_says_nothing_has_no_column(shop, evals, monkeypatch):
    """No pass@k of one sample, no change without a baseline, no tokens that nobody reports."""
    monkeypatch.setenv("COLUMNS", "200")
    head = rows(evals(shop(4, samples=1, gates=["pass@1 >= 0.5"])))[0]
    assert not {"change", "pass@1", "pass^1", "tokens", "revised"} & set(head.split())


def test_almost_all_is_not_all(shop, evals, monkeypatch):
    """A share is 100 % only where nothing is missing."""
    monkeypatch.setenv("COLUMNS", "120")
    cases = [{"id": f"c{i:03}", "input": str(i)} for i in range(400)]
    row = rows(evals(shop(1, samples=1, gates=["pass@1 >= 0.5"], cases=cases)))[1]
    assert "399/400 >99%" in row


@pytest.mark.parametrize("option", ["-q", "--no-summary"])
def test_it_obeys_pytest(option, shop, evals):
    """Quiet sessions have no table."""
    assert "95 % CI" not in evals(option, shop(4)).stdout.str()
