"""Collection: a marked test function becomes an item for each case, model and sample.

Nothing is asked here, and without ``--evals`` this module is not imported.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_evals.ground.errors import DatasetError, EvalsError
from pytest_evals.ground.plain_text import neutral
from pytest_evals.matrix import Matrix, Trial
from pytest_evals.plugin.compat import fixture_functions
from pytest_evals.plugin.items import TRIAL, problems_text, tag_markers
from pytest_evals.plugin.python.dataset_files import DatasetFiles
from pytest_evals.session.session import Session

if TYPE_CHECKING:
    from pytest_evals.plugin.python.plan import Subject

PARAMETER = "_evals_trial"
"""The parameter of a marked test: which trial it is."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """The trials of one test function, before other marks multiply them."""

    matrix: Matrix
    ids: dict[int, str]
    """Of each trial, by its place: what stands in the item's name."""
    subject: "Subject"


class Collection:
    """Makes the trials of marked test functions."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._datasets = DatasetFiles(session.state)
        self._plans: dict[str, _Plan] = {}
        self._trials: dict[str, Trial] = {}
        self._places: dict[str, str] = {}
        self._codes: dict[str, str] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give a marked test a parameter: its trial. Last of all, so that its id stands last."""
        mark = metafunc.definition.get_closest_marker("evals")
        if mark is None or self._session.state.settings.sanity:
            return
        from pytest_evals.plugin.python.place import place_of_mark

        shown = metafunc.definition.nodeid.partition("::")[0]
        where = place_of_mark(metafunc.function, metafunc.cls, shown)
        try:
            plan = self._plan(metafunc, mark, where)
        except DatasetError as error:
            text = neutral(problems_text(error, "this file"))
            raise pytest.Collector.CollectError(text) from None
        except EvalsError as error:
            raise pytest.Collector.CollectError(neutral(f"{where}: {error}")) from None
        if plan is None:
            return
        self._plans[metafunc.definition.nodeid] = plan
        tags = {tag for case in plan.matrix.dataset.cases for tag in case.tags}
        markers = tag_markers(self._config, tags)
        if PARAMETER not in metafunc.fixturenames:
            metafunc.fixturenames.append(PARAMETER)
        metafunc.parametrize(
            PARAMETER,
            [
                pytest.param(
                    number, id=plan.ids[number], marks=[markers[tag] for tag in trial.case.tags]
                )
                for number, trial in enumerate(plan.matrix)
            ],
            indirect=True,
            scope="function",
        )

    def _plan(self, metafunc: pytest.Metafunc, mark: pytest.Mark, where: Any) -> _Plan | None:
        """Plan the trials of a test function.

        Raises:
            EvalsError: what is wrong with the mark, the dataset or the models asked for.
        """
        from pytest_evals.plugin.python.plan import (
            Subject,
            dataset_of,
            read_mark,
            refuse_ranges,
            with_app,
        )

        asked = read_mark(mark, where)
        if asked is None:
            return None
        definition = metafunc.definition
        subject = Subject(
            nodeid=definition.nodeid,
            path=Path(definition.path),
            shown=definition.nodeid.partition("::")[0],
            own="response" not in metafunc.fixturenames or _has_target(definition),
        )
        dataset = with_app(dataset_of(self._datasets, asked, subject), subject)
        settings = self._session.state.settings
        if settings.samples is None and settings.from_run is None:
            refuse_ranges(dataset, where)
        matrix = self._session.plan.matrix_of(dataset)
        if matrix.case_samples:
            matrix = replace(matrix, case_samples=_counts(matrix))
        trials = list(matrix)
        return _Plan(matrix, dict(enumerate(_ids(trials))), subject)

    @pytest.hookimpl(wrapper=True)
    def pytest_pycollect_makeitem(
        self, collector: pytest.Collector, name: str
    ) -> Generator[None, Any, Any]:
        """Note which trial each item of a test function is."""
        made = yield
        plan = self._plans.pop(f"{collector.nodeid}::{name}", None)
        if plan is not None and isinstance(made, list):
            self._settle(plan, made)
        return made

    def _settle(self, plan: _Plan, items: Iterable[Any]) -> None:
        """Make a trial of each item; other parameters make other cases."""
        from pytest_evals.plugin.python.plan import expanded

        planned = list(plan.matrix)
        numbers = [(item, item.callspec.params[PARAMETER]) for item in items]
        variants = [
            (planned[number].case, _others(item.callspec.id, plan.ids[number]))
            for item, number in numbers
        ]
        samples = {case.id: plan.matrix.samples_of(case) for case in plan.matrix.dataset.cases}
        dataset, cases = expanded(plan.matrix.dataset, variants)
        counts = {new.id: samples[old.id] for new, (old, _) in zip(cases, variants, strict=True)}
        nodeid = plan.subject.nodeid
        self._session.plan.matrices[nodeid] = replace(
            plan.matrix, dataset=dataset, case_samples=counts
        )
        for (item, number), case in zip(numbers, cases, strict=True):
            trial = planned[number]
            self._trials[item.nodeid] = Trial(
                dataset,
                case,
                trial.model,
                trial.sample,
                trial.samples,
                nodeid=item.nodeid,
                answered_by_code=plan.subject.own,
                function_digest="(not read)",
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Put its trial on an item, which other plugins may have made anew."""
        trial = self._trials.get(item.nodeid)
        if trial is not None:
            item.stash[TRIAL] = trial

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Leave test functions out of a sanity run, and see to it that names are told apart.

        Raises:
            UsageError: two datasets have one name.
        """
        if self._session.state.settings.sanity:
            self._leave_out(config, items)
        homes: dict[str, str] = {}
        for path, matrix in self._session.plan.matrices.items():
            name = matrix.dataset.name
            other = homes.setdefault(name, path)
            if other != path and ("::" in other or "::" in path):
                raise pytest.UsageError(
                    f"{other} and {path} are both counted as {name!r}, so their baselines and runs "
                    "would be mixed up; give one a `name=` of its own in its mark"
                )

    def _leave_out(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect what a sanity run cannot turn round: the body of a test."""
        left = [item for item in items if isinstance(item, pytest.Function) and _marked(item)]
        if left:
            config.hook.pytest_deselected(items=left)
            items[:] = [item for item in items if item not in left]
            self._session.notes.add(
                f"sanity: {len(left)} evals in Python were left out: a sanity run checks the "
                "scorers of datasets, not the code of tests"
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Read the code of the tests that will run: a changed test is a changed assertion.

        Here, since Python must not parse in two threads, and only of what was selected.
        """
        if session.config.option.collectonly:
            return
        for item in session.items:
            trial = item.stash.get(TRIAL, None)
            if trial is None:
                continue
            group = trial.group
            if group not in self._codes:
                from pytest_evals.plugin.python.place import digest_of_code

                self._codes[group] = digest_of_code(getattr(item, "function"))  # noqa: B009
            item.stash[TRIAL] = replace(trial, function_digest=self._codes[group])


def _marked(item: pytest.Item) -> bool:
    """Whether an item is marked, with a dataset."""
    mark = item.get_closest_marker("evals")
    return mark is not None and bool(mark.args or mark.kwargs)


def _has_target(definition: Any) -> bool:
    """Whether the user has an `evals_target` of their own for a test."""
    functions = fixture_functions(definition, "evals_target")
    return any(function.__module__ != _FIXTURES for function in functions)


_FIXTURES = "pytest_evals.plugin.python.fixtures"


def _ids(trials: list[Trial]) -> list[str]:
    """Return what stands in the items' names: ``case-model-sample``.

    Where two would be the same (``a-b`` of ``c``, ``a`` of ``b-c``), both get two hyphens.
    """
    short = ["-".join(_parts(trial)) for trial in trials]
    doubles = {one for one in short if short.count(one) > 1} if len(set(short)) < len(short) else ()
    return [
        "--".join(_parts(trial)) if one in doubles else one
        for one, trial in zip(short, trials, strict=True)
    ]


def _parts(trial: Trial) -> list[str]:
    """Return case, model, and the sample where there are several."""
    number = [] if trial.samples == 1 else [str(trial.sample)]
    return [trial.case.id, trial.model.id, *number]


def _others(whole: str, ours: str) -> str:
    """Return the ids of the other parameters in an item's name; empty where there are none."""
    if whole == ours:
        return ""
    for before, after in ((f"{ours}-", ""), ("", f"-{ours}")):
        if after and whole.endswith(after):
            return whole.removesuffix(after)
        if before and whole.startswith(before) and not whole.endswith(f"-{ours}"):
            return whole.removeprefix(before)
    return whole.replace(f"-{ours}-", "-", 1)


def _counts(matrix: Matrix) -> dict[str, int]:
    """Return how often each case was recorded, those with other parameters taken together."""
    found: dict[str, int] = {}
    for case in matrix.dataset.cases:
        told = [
            count
            for name, count in matrix.case_samples.items()
            if name == case.id or name.startswith(f"{case.id}[")
        ]
        if told:
            found[case.id] = max(told)
    return found
