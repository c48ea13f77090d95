"""What a target in Python can see is in its Key: no two tests share an answer that may differ."""

import json
import re
import sys

import pytest

PARAMETRIZED = """
    import pytest

    from pytest_evals import Case


    @pytest.fixture
    def evals_target(variant):
        return lambda question: f"answer of {variant}"


    @pytest.mark.parametrize("variant", ["a", "b"])
    @pytest.mark.evals([Case(id="q", input="hello")], gates=["pass@1 >= 0.9"])
    def test_variant(response, variant):
        assert response.text == "answer of a"
    """
FIXTURE = """
    import pytest

    from pytest_evals import Case


    @pytest.fixture(params=["a", "b"])
    def variant(request):
        return request.param


    @pytest.fixture
    def evals_target(variant):
        return lambda question: f"answer of {variant}"


    @pytest.mark.evals([Case(id="q", input="hello")], gates=["pass@1 >= 0.9"])
    def test_variant(response, variant):
        assert response.text == "answer of a"
    """
TWO_TESTS = """
    import pytest

    from pytest_evals import Case


    @pytest.fixture
    def evals_target(request):
        return lambda question: f"answer of {request.node.originalname[-1]}"


    @pytest.mark.evals([Case(id="q", input="hello")])
    def test_a(response):
        assert response.text == "answer of a"


    @pytest.mark.evals([Case(id="q", input="hello")], gates=["pass@1 >= 0.9"])
    def test_b(response):
        assert response.text == "answer of a"
    """
MODES = [["--evals-responses=" + mode] for mode in ("auto", "refresh", "off")]


@pytest.mark.parametrize("options", MODES, ids=lambda options: options[0])
@pytest.mark.parametrize(
    ("source", "case"),
    [(PARAMETRIZED, "q[b]"), (FIXTURE, "q[b]"), (TWO_TESTS, "q")],
    ids=["parametrize", "fixture", "two tests"],
)
def test_each_variant_has_the_answer_of_its_own_target(options, source, case, write, evals):
    """The one of `b` fails, and so does the gate."""
    write("test_it.py", source)
    result = evals(*options, "test_it.py")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.re_match_lines([f".*failing cases: {re.escape(case)}"])
    replayed = evals("--evals-responses=replay", "test_it.py")
    if options != MODES[2]:
        replayed.stdout.re_match_lines([f".*failing cases: {re.escape(case)}"])


@pytest.mark.slow
def test_each_variant_has_its_own_answer_in_workers_too(write, evals):
    """As in one process."""
    write("test_it.py", PARAMETRIZED)
    result = evals("-n", "2", "test_it.py", process=True)
    result.stdout.fnmatch_lines(["*failing cases: q[[]b[]]*"])


@pytest.mark.parametrize("options", MODES, ids=lambda options: options[0])
@pytest.mark.parametrize("provider", ["python", "command"])
def test_a_target_that_reads_the_case_id_is_called_for_each_case(provider, options, write, evals):
    """Two cases with one input are two calls; a stored answer serves its own case only."""
    write(
        "app.py",
        """
        import json
        import sys


        def answer(question, context):
            return context.case_id


        if __name__ == "__main__":
            print(json.load(sys.stdin)["case_id"])
        """,
    )
    target = {"target": "app.py:answer"}
    if provider == "command":
        target = {"command": [sys.executable, "app.py"]}
    cases = [{"id": i, "input": "hi", "scorers": [{"equals": i}]} for i in ("a", "b")]
    model = {"id": "app", "provider": provider, "stored": True, **target}
    write("case_id.evals.json", json.dumps({"models": [model], "cases": cases}))
    for _ in range(2):
        evals(*options, "case_id.evals.json").assert_outcomes(passed=2)


def test_equal_datasets_in_two_folders_call_their_own_targets(write, evals):
    """`app.py:answer` is another function in each folder."""
    for folder in ("one", "two"):
        write(f"{folder}/app_of_folder.py", f"def answer(question):\n    return {folder!r}\n")
        dataset = {
            "models": [{"id": "app", "provider": "python", "target": "app_of_folder.py:answer"}],
            "cases": [{"id": "c", "input": "hi", "scorers": [{"equals": folder}]}],
        }
        write(f"{folder}/{folder}.evals.json", json.dumps(dataset))
    evals("one/one.evals.json", "two/two.evals.json").assert_outcomes(passed=2)
