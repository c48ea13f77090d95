"""What stands in a mark: read well, or refused with the place in the test's file."""

import pytest

MARKED = """
    import pytest
    from pytest_evals import Case, Dataset, Model

    def cases():
        return [Case(id="a", input="hi")]

    def broken():
        raise OSError("no cases today")

    @pytest.mark.evals(MARK)
    def test_a(case, trial):
        pass
"""


@pytest.mark.parametrize(
    "mark",
    [
        "cases, samples=1",
        "dataset=cases",
        "[{'id': 'a', 'input': 'hi'}]",
        "Dataset(name='x', path='x', cases=tuple(cases()))",
        "lambda: Dataset(name='x', path='x', cases=tuple(cases()))",
        "(case for case in cases())",
        "'data/one.yaml'",
        "__import__('pathlib').Path('data/one.yaml')",
    ],
)
def test_datasets_of_all_kinds(write, evals, mark):
    """Cases come from a file, a list, a Dataset, or a function that returns one."""
    write("tests/data/one.yaml", "cases: [{id: a, input: hi}]\n")
    write("tests/test_a.py", MARKED.replace("MARK", mark))
    evals("tests/test_a.py").assert_outcomes(passed=1)


def test_file_below_the_rootdir(write, evals):
    """A dataset that is not beside the test is looked for in the rootdir."""
    write("data/one.csv", "id,input\na,hi\n")
    write("tests/deep/test_a.py", MARKED.replace("MARK", "'data/one.csv'"))
    evals("tests/deep/test_a.py").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        ("'refund.evals.yaml'", "*no dataset 'refund.evals.yaml'*'refunds.evals.yaml'?"),
        ("cases, sampels=3", "*takes no 'sampels'. Did you mean 'samples'*"),
        ("models=['x']", "*needs a dataset*"),
        ("cases, samples=0", "*`samples` is a whole number of at least 1, found 0"),
        ("cases, samples=True", "*`samples` is a whole number*found True"),
        ("cases, scorers=['x']", "*`scorers` is True or False*"),
        ("cases, models=[3]", "*`models` holds*found 3"),
        ("cases, models=['openia:gpt']", "*no model and no provider is called*'openai'*"),
        ("cases, gates=['pass@1 > 0.5 per']", "*gates*"),
        ("'refunds.evals.yaml', gates=['pass@1 >= 0.5 on nobody']", "*nobody*"),
        ("cases, judge=3", "*`judge` is*found 3"),
        ("cases, name='a/b'", "*name*'a/b'*"),
        ("cases, models=[Model(id='m', provider='python')]", "*needs `target`*"),
        ("dataset=broken", "*`broken()`*OSError: no cases today*"),
        ("[]", "*the dataset has no cases*"),
        ("3", "*a dataset is a file, a list of Case*found int"),
        ("[3]", "*cases[[]0[]]*"),
        ("[{'id': 'a b', 'input': 'x'}]", "*cases[[]0[]].id: an id is letters*write 'a-b'"),
        ("[Case(id='a'), Case(id='a')]", "*duplicate id 'a'"),
        ("[Case(id='a', scorers=['containz'])]", "*no scorer is called 'containz'*"),
        ("'range.yaml'", "*asks for 2 to 5 samples*`samples=5`*"),
        ("'wrong.yaml'", "wrong.yaml:2:*'inptu'*'input'*"),
    ],
)
def test_wrong_marks(refunds, write, evals, mark, told):
    """What is wrong is told with the line of the mark, before anything is asked."""
    write(
        "range.yaml",
        "samples: {min: 2, max: 5}\ngates: [pass@1 >= 0.5 per case]\ncases: [{id: a, input: hi}]\n",
    )
    write("wrong.yaml", "cases:\n  - {id: a, inptu: hi}\n")
    write("test_a.py", MARKED.replace("MARK", mark))
    result = evals("test_a.py")
    assert pytest.ExitCode.INTERRUPTED == result.ret
    result.stdout.fnmatch_lines([told if told.startswith("wrong") else f"test_a.py:11: {told}"])
    result.stdout.no_fnmatch_line("*plan.py*")


@pytest.mark.parametrize("place", ["class", "module"])
def test_where_a_mark_stands(write, evals, place):
    """The mark of a class or a module is found at its own line."""
    mark = "pytest.mark.evals([])"
    lines = ["import pytest", "", "", "@" + mark, "class TestA:", "    def test_a(self, case):"]
    if place == "module":
        lines[2:4] = ["pytestmark = " + mark, ""]
    write("test_a.py", "\n".join([*lines, "        pass", ""]))
    line = 3 if place == "module" else 4
    evals("test_a.py").stdout.fnmatch_lines([f"test_a.py:{line}: *the dataset has no cases"])


def test_closest_mark_counts(write, evals, report):
    """The mark of the function goes before that of its class."""
    write(
        "test_a.py",
        """
        import pytest
        from pytest_evals import Case

        @pytest.mark.evals([Case(id="of-class")])
        class TestA:
            @pytest.mark.evals([Case(id="of-function")], name="mine")
            def test_a(self, case):
                assert case.id == "of-function"

            def test_b(self, case):
                assert case.id == "of-class"
        """,
    )
    evals("test_a.py").assert_outcomes(passed=2)
    names = [one["name"] for one in report()["run"]["datasets"]]
    assert ["mine", "test_a.TestA.test_b"] == names


def test_options_go_before_the_mark(refunds, write, evals, trials):
    """``--evals-model`` and ``--evals-samples`` select and count as they do for files."""
    write(
        "test_a.py",
        """
        import pytest

        @pytest.mark.evals("refunds.evals.yaml", samples=2)
        def test_a(response):
            pass
        """,
    )
    evals("test_a.py", "--evals-model=good", "--evals-samples=3").assert_outcomes(passed=6)
    result = evals("test_a.py", "--evals-model=god")
    result.stdout.fnmatch_lines(["*--evals-model god*'good'*"])
