"""Collection: a marked test function becomes an item for each case, model and sample.

Makes no call. Without ``--evals`` this module is not imported.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_evals.ground.errors import DatasetError, EvalsError, Position
from pytest_evals.ground.plain_text import neutral
from pytest_evals.matrix import Matrix, Trial
from pytest_evals.plugin.compat import fixture_functions
from pytest_evals.plugin.items import TRIAL, is_marked, problems_text, tag_markers
from pytest_evals.session.session import Session

if TYPE_CHECKING:
    from pytest_evals.plugin.python.marks import MarkedFunction
    from pytest_evals.session.source_loader import SourceLoader

PARAMETER = "_evals_trial"
"""The parameter of a marked test: the number of its trial."""


@dataclass(frozen=True, slots=True)
class _FunctionPlan:
    """The trials of one test function, before other marks multiply them."""

    matrix: Matrix
    ids: list[str]
    """The id of each trial in the item's name."""
    function: "MarkedFunction"


class Collection:
    """Makes the trials of marked test functions."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._sources: SourceLoader | None = None
        self._plans: dict[str, _FunctionPlan] = {}
        self._trials: dict[str, Trial] = {}
        self._digests: dict[str, str] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give a marked test a parameter: its trial. Runs last, so that its id comes last."""
        mark = metafunc.definition.get_closest_marker("evals")
        if mark is None or self._session.state.settings.sanity:
            return
        from pytest_evals.ground.source_code import decorator_position

        shown = metafunc.definition.nodeid.partition("::")[0]
        where = decorator_position("evals", metafunc.function, metafunc.cls, shown)
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

    def _plan(
        self, metafunc: pytest.Metafunc, mark: pytest.Mark, where: Position
    ) -> _FunctionPlan | None:
        """Plan the trials of a test function.

        Raises:
            EvalsError: the mark, the dataset or a selected model is invalid.
        """
        from pytest_evals.plugin.python.item_ids import recorded_samples, trial_ids
        from pytest_evals.plugin.python.marks import (
            MarkedFunction,
            read_mark,
            refuse_ranges,
            with_app,
        )
        from pytest_evals.session.source_loader import SourceLoader

        definition = metafunc.definition
        function = MarkedFunction(
            nodeid=definition.nodeid,
            path=Path(definition.path),
            answered_by_code="response" not in metafunc.fixturenames or _has_target(definition),
        )
        source = read_mark(mark, where, function)
        if source is None:
            return None
        if self._sources is None:
            self._sources = SourceLoader(self._session.state)
        dataset = with_app(self._sources.load(source), function)
        settings = self._session.state.settings
        if settings.samples is None and settings.from_run is None:
            refuse_ranges(dataset, where)
        matrix = self._session.plan.matrix_of(dataset)
        if matrix.case_samples:
            matrix = replace(matrix, case_samples=recorded_samples(matrix))
        return _FunctionPlan(matrix, trial_ids(list(matrix)), function)

    @pytest.hookimpl(wrapper=True)
    def pytest_pycollect_makeitem(
        self, collector: pytest.Collector, name: str
    ) -> Generator[None, Any, Any]:
        """Note the trial of each item of a test function."""
        made = yield
        plan = self._plans.pop(f"{collector.nodeid}::{name}", None)
        if plan is not None and isinstance(made, list):
            self._add_trials(plan, made)
        return made

    def _add_trials(self, plan: _FunctionPlan, items: Iterable[Any]) -> None:
        """Make the trial of each item; each value of other parameters makes another case."""
        from pytest_evals.plugin.python.item_ids import other_ids
        from pytest_evals.plugin.python.marks import with_variants

        planned = list(plan.matrix)
        numbers = [(item, item.callspec.params[PARAMETER]) for item in items]
        variants = [
            (planned[number].case, other_ids(item.callspec.id, plan.ids[number]))
            for item, number in numbers
        ]
        samples = {case.id: plan.matrix.samples_of(case) for case in plan.matrix.dataset.cases}
        dataset, cases = with_variants(plan.matrix.dataset, variants)
        counts = {new.id: samples[old.id] for new, (old, _) in zip(cases, variants, strict=True)}
        nodeid = plan.function.nodeid
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
                answered_by_code=plan.function.answered_by_code,
                function_digest="(not read)",
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Put its trial on an item, which other plugins may have replaced."""
        trial = self._trials.get(item.nodeid)
        if trial is not None:
            item.stash[TRIAL] = trial

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Deselect test functions in a sanity run, and reject duplicate dataset names.

        Raises:
            UsageError: two datasets have one name.
        """
        if self._session.state.settings.sanity:
            self._deselect(config, items)
        groups: dict[str, str] = {}
        for path, matrix in self._session.plan.matrices.items():
            name = matrix.dataset.name
            other = groups.setdefault(name, path)
            if other != path and ("::" in other or "::" in path):
                raise pytest.UsageError(
                    f"{other} and {path} are both counted as {name!r}, so their baselines and runs "
                    "would be mixed up; give one a `name=` of its own in its mark"
                )

    def _deselect(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect test functions: a sanity run cannot invert the body of a test."""
        marked = [item for item in items if isinstance(item, pytest.Function) and is_marked(item)]
        if marked:
            config.hook.pytest_deselected(items=marked)
            items[:] = [item for item in items if item not in marked]
            self._session.notes.add(
                f"sanity: {len(marked)} evals in Python were deselected: a sanity run checks the "
                "scorers of datasets, not the code of tests"
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Digest the code of the selected tests: a changed test is a changed assertion.

        Now, because Python 3.11 must not parse in two threads, and the engine starts later.
        """
        if session.config.option.collectonly:
            return
        for item in session.items:
            trial = item.stash.get(TRIAL, None)
            if trial is None:
                continue
            group = trial.group
            if group not in self._digests:
                from pytest_evals.ground.source_code import function_digest

                self._digests[group] = function_digest(getattr(item, "function"))  # noqa: B009
            item.stash[TRIAL] = replace(trial, function_digest=self._digests[group])


def _has_target(definition: Any) -> bool:
    """Whether the user overrides the fixture `evals_target` for a test."""
    functions = fixture_functions(definition, "evals_target")
    return any(function.__module__ != _FIXTURES for function in functions)


_FIXTURES = "pytest_evals.plugin.python.fixtures"
