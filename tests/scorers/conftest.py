"""A scorer as a dataset writes it, scored on an answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module, util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_evals.case import Case, ScorerSpec
from pytest_evals.dataset import Dataset
from pytest_evals.exchange import ErrorInfo, Exchange, Request, Response, Usage
from pytest_evals.message import ToolCall
from pytest_evals.model import Model
from pytest_evals.scorers.base import ScoreContext, Scorer
from pytest_evals.scorers.binding import SpecError, bind
from pytest_evals.scorers.bound import Bound
from pytest_evals.scorers.catalogue import SCORERS


@dataclass
class Bench:
    """Binds and scores; registers more scorers where a test brings its own."""

    rootdir: Path
    more: dict[str, type[Scorer]] = field(default_factory=dict)

    def find(self, name: str) -> type[Scorer] | None:
        """Return a scorer's class."""
        if name in self.more:
            return self.more[name]
        entry = SCORERS.get(name)
        if entry is None:
            return None
        module, _, attribute = entry.partition(":")
        found: type[Scorer] = getattr(import_module(module), attribute)
        return found

    def bind(self, written: Any) -> Bound:
        """Make a scorer of how a dataset writes it."""
        spec = ScorerSpec.model_validate(written)
        return bind(spec, self.find, lambda: (*SCORERS, *self.more))

    def context(self, answer: str = "", **given: Any) -> ScoreContext:
        """Make what a scorer sees: of the case, of the answer, or of the context itself."""
        case = Case(
            id="c",
            input=given.pop("input", "What is it?"),
            expected=given.pop("expected", None),
            variables=given.pop("variables", {}),
            tools=given.pop("tools", None),
        )
        dataset = Dataset(name="d", path="d.evals.yaml", cases=(case,))
        error = given.pop("error", None)
        calls = given.pop("calls", ())
        usage = given.pop("usage", Usage())
        response = given.pop(
            "response",
            Response(
                text=answer,
                tool_calls=tuple(
                    call if isinstance(call, ToolCall) else made(call) for call in calls
                ),
                finish_reason=given.pop("finish_reason", None),
                refusal=given.pop("refusal", None),
                messages=given.pop("messages", ()),
                usage=usage,
            ),
        )
        request = Request(messages=())
        if error is not None:
            info = ErrorInfo(type=error, message=given.pop("error_message", "it broke"))
            exchanges = (Exchange(request=request, error=info),)
            return ScoreContext(
                case=case, model=MODEL, dataset=dataset, error=info, exchanges=exchanges,
                rootdir=self.rootdir, **given,
            )  # fmt: skip
        return ScoreContext(
            case=case, model=MODEL, dataset=dataset, answer=answer, response=response, usage=usage,
            exchanges=(Exchange(request=request, response=response),),
            rootdir=self.rootdir, **given,
        )  # fmt: skip

    def score(self, written: Any, answer: str = "", **given: Any) -> Any:
        """Score an answer the way the engine does; both ways, where a scorer is cheap."""
        bound, ctx = self.bind(written), self.context(answer, **given)
        scored = asyncio.run(bound.evaluate(ctx, _in_thread))
        if bound.cheap:
            assert scored == bound.evaluate_now(ctx)
        assert (bound.name, bound.type, bound.version) == (scored.name, scored.type, scored.version)
        assert type(scored).model_validate_json(scored.model_dump_json()) == scored
        return scored

    def passes(self, written: Any, answer: str = "", **given: Any) -> bool | None:
        """Return the verdict on an answer; an error is the test's failure."""
        scored = self.score(written, answer, **given)
        assert scored.kind == "score", scored.message
        passed: bool | None = scored.passed
        return passed

    def problems(self, written: Any, *, cased: bool = True, **given: Any) -> list[str]:
        """Return everything that is wrong with a scorer when a dataset is collected."""
        try:
            bound = self.bind(written)
        except SpecError as error:
            return [message for _, message in error.problems]
        ctx = self.context(**given)
        return list(bound.check(ctx.dataset, ctx.case if cased else None))

    def refused(self, written: Any) -> list[tuple[tuple[str | int, ...], str]]:
        """Return what a scorer that cannot be made is refused for."""
        with pytest.raises(SpecError) as caught:
            self.bind(written)
        return list(caught.value.problems)


MODEL = Model(id="m", provider="script")


def made(call: Any) -> ToolCall:
    """Make a call of a name, or of a name with arguments and more."""
    if isinstance(call, str):
        return ToolCall(name=call)
    name, arguments, *more = call
    return ToolCall(name=name, arguments=arguments, **(more[0] if more else {}))


async def _in_thread(function: Any) -> Any:
    """Run a blocking callable as the engine does."""
    return await asyncio.to_thread(function)


@pytest.fixture
def bench(tmp_path):
    """Binds and scores, with the rootdir in a folder of the test's own."""
    return Bench(tmp_path)


@pytest.fixture
def load_script() -> Callable[..., ModuleType]:
    """Import a script of the repository by the parts of its path."""

    def load(*parts: str) -> ModuleType:
        path = Path(__file__).parents[2].joinpath(*parts)
        spec = util.spec_from_file_location(f"script_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
