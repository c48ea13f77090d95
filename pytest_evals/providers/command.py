"""command: a program that reads a question as JSON and writes the answer."""

import asyncio
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from pytest_evals.exchange import Request, Response
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.ground.errors import AnswerError
from pytest_evals.model import Model
from pytest_evals.providers.base import ProviderContext
from pytest_evals.providers.option_types import Value, env_names, literal_values, read_values
from pytest_evals.providers.parsing import clean_text, parse_json, response_of, to_json
from pytest_evals.providers.recording import RecordEnv, RecordHttp, environ_here

MOST_OUTPUT_BYTES = 10 * 1024 * 1024
"""The most a program may write; it is killed when it writes more."""
MOST_TAIL_BYTES = 16 * 1024
"""How much of the end of what it writes to stderr is kept."""
LEFT_BEHIND_S = 0.5
"""Seconds that what a program started may hold its output open after it has ended."""


def _split(value: object) -> object:
    """Split a command line into its words, as a shell would."""
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError as error:
        raise ValueError(f"the command line cannot be split into words ({error})") from None


class CommandOptions(Frozen):
    """Which program is run, and how."""

    command: Annotated[tuple[str, ...], BeforeValidator(_split), Field(min_length=1)]
    """The program and its arguments, as a list, or as one line that is split into words; no shell
    is involved. A program named with a folder (``./agent``) is looked for in `cwd`, then beside the
    dataset."""
    cwd: str = "."
    """The folder it runs in, from the rootdir."""
    env: dict[str, Value] = Field(default_factory=dict)
    """Environment variables beside the session's own, all of which it gets."""
    record_http: RecordHttp = False
    """Whether the calls it makes to model APIs are stored, and answered from the store the next
    time; or the addresses of which that is true, by their beginnings. They are led to a server on
    this machine by OPENAI_BASE_URL, ANTHROPIC_BASE_URL and `record_env`. The program itself then
    runs each time, also in a replay."""
    record_env: RecordEnv = Field(default_factory=dict)
    """Further environment variables from which it reads where an API is, and where that is
    (`{MISTRAL_BASE_URL: "https://api.mistral.ai/v1"}`)."""
    output: Literal["auto", "text", "json"] = "auto"
    """What it writes: ``text``, ``json`` (then anything else is an error), or ``auto``: a JSON
    object is read as one, anything else is text."""


class CommandProvider:
    """Runs a program once for each question.

    It reads one JSON object on stdin (``input``, ``messages``, ``params``, ``variables``,
    ``tools``, ``case_id``, ``model``, ``sample``, ``turn``, ``turns``) and writes the answer on
    stdout: text, or a JSON object with ``text`` or ``answer``, ``tool_calls``, ``usage``,
    ``cost_usd``, ``data``, ``metadata``, ``trace``. It runs in the rootdir with the session's whole
    environment. A status other than 0 is an error of the trial, with the end of stderr. What it
    started itself is ended with it, at the latest when its time is up. Stored answers are not used
    again unless the model says ``stored: true``, since the program may have changed.
    """

    name: ClassVar[str] = "command"
    Options: ClassVar[type[Frozen]] = CommandOptions
    opaque: ClassVar[bool] = True
    recorded: ClassVar[bool] = False
    local: ClassVar[bool] = True
    example: ClassVar[str] = "{id: tool, provider: command, command: [./agent, --json]}"

    def __init__(self, model: Model, context: ProviderContext) -> None:
        self._model = model
        self._context = context
        self._options = CommandOptions.model_validate(model.options)
        self._cwd = context.rootdir / self._options.cwd
        self._line = shlex.join(self._options.command)

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:
        """Name the variables that `env` takes from the environment."""
        return env_names(CommandOptions.model_validate(model.options).env)

    def host(self) -> str | None:
        """No server is called."""
        return None

    def prepare(self) -> None:
        """Check that the program and its folder exist.

        Raises:
            AnswerError: of type ``target``, with what was searched.
        """
        if not self._cwd.is_dir():
            raise AnswerError("target", f"`{self._line}`: there is no folder {self._cwd} (`cwd`)")
        self._program()

    def identity(self, request: Request) -> Json:
        """Return the command and what it reads, without the case's name."""
        question = self._question(request)
        del question["case_id"]
        return {
            "command": list(self._options.command),
            "cwd": self._options.cwd,
            "env": literal_values(self._options.env),
            "output": self._options.output,
            "body": question,
        }

    async def complete(self, request: Request) -> Response:
        """Run the program once.

        Raises:
            AnswerError: of type ``target``: it cannot be started, ended with another status than 0,
                wrote too much or what is no answer.
        """
        question = json.dumps(self._question(request)).encode("ascii") + b"\n"
        began = monotonic()
        run = await self._start()
        try:
            await run.talk(question)
        finally:
            await run.end()
        used_s = monotonic() - began
        self._check(run)
        response = self._response(bytes(run.output))
        return response.model_copy(
            update={
                "latency_s": used_s if response.latency_s is None else response.latency_s,
                "output": response.output or run.tail(),
            }
        )

    async def aclose(self) -> None:
        """Nothing is held: each program was ended with its call."""

    def _program(self) -> str:
        """Find the program."""
        name = self._options.command[0]
        has_folder = os.path.dirname(name) != ""  # noqa: PTH120 - "./agent" must keep its dot
        if has_folder:
            return self._beside(name)
        search = self._options.env.get("PATH")
        path_variable = search if isinstance(search, str) else self._context.environ.get("PATH")
        found = shutil.which(name, path=path_variable)
        if found is None:
            here = " (write ./" + name + ")" if (self._cwd / name).is_file() else ""
            raise AnswerError(
                "target",
                f"`{self._line}`: no program {name!r} on PATH{here}; searched {path_variable}",
            )
        return found

    def _beside(self, name: str) -> str:
        """Find a program that is named with a folder: in `cwd`, else beside the dataset."""
        folders = [self._cwd, self._context.folder or self._cwd]
        paths = list(dict.fromkeys(folder / name for folder in folders))
        for path in paths:
            if path.is_file() and os.access(path, os.X_OK):
                return str(path)
        files = [path for path in paths if path.is_file()]
        if files:
            raise AnswerError("target", f"`{self._line}`: {files[0]} is not executable (chmod +x)")
        tried = " and ".join(map(str, paths))
        raise AnswerError("target", f"`{self._line}`: there is no program {tried}")

    async def _start(self) -> "_Run":
        """Start the program, in a process group of its own so that all of it can be ended."""
        own = read_values(self._options.env, self._context.environ)
        environ = dict(await environ_here({**self._context.environ, **own}))
        group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        loop = asyncio.get_running_loop()
        try:
            transport, run = await loop.subprocess_exec(
                _Run,
                self._program(),
                *self._options.command[1:],
                cwd=self._cwd,
                env=environ,
                **group,
            )
        except (OSError, ValueError) as error:
            raise AnswerError(
                "target", f"`{self._line}` cannot be started in {self._cwd}: {error}"
            ) from None
        run.transport = transport
        return run

    def _question(self, request: Request) -> dict[str, Any]:
        """Return what the program reads."""
        return {
            "input": to_json(request.input),
            "messages": [
                m.model_dump(mode="json", exclude_defaults=True) for m in request.messages
            ],
            "params": request.params,
            "variables": request.variables,
            "tools": list(request.tools),
            "case_id": request.case_id,
            "model": self._model.model or self._model.id,
            "sample": request.sample,
            "turn": request.turn,
            "turns": request.turns,
        }

    def _check(self, run: "_Run") -> None:
        """Refuse a run that did not end well."""
        if run.too_much:
            raise AnswerError(
                "target",
                f"`{self._line}` wrote more than {MOST_OUTPUT_BYTES // 1024**2} MB and was killed",
                detail=run.tail() or None,
            )
        if run.status == 0:
            return
        tail = run.tail() or bytes(run.output[-MOST_TAIL_BYTES:]).decode("utf-8", "replace")
        last = tail.strip().splitlines()[-1:] or ["it wrote nothing to stderr"]
        raise AnswerError(
            "target",
            f"`{self._line}` {_ending(run.status)}: {last[0][:300]}",
            detail=tail or None,
        )

    def _response(self, output: bytes) -> Response:
        """Read what the program wrote."""
        kind = self._options.output
        text = clean_text(output.decode("utf-8", "replace")).removesuffix("\n").removesuffix("\r")
        try:
            value = None if kind == "text" else parse_json(output)
        except ValueError as error:
            if kind == "json":
                raise AnswerError(
                    "target", f"`{self._line}` wrote what is not JSON ({error}): {text[:300]!r}"
                ) from None
            value = None
        try:
            if kind == "json" and value is not None:
                return response_of(value)
            return response_of(value) if isinstance(value, dict) else Response(text=text)
        except ValueError as error:
            raise AnswerError(
                "target", f"`{self._line}` wrote JSON that is no answer: {error}", detail=text
            ) from None


def _ending(status: int | None) -> str:
    """Say how a program ended."""
    if status is None or status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


@dataclass(eq=False)
class _Run(asyncio.SubprocessProtocol):
    """One run of a program: what it writes, and that nothing of it stays behind."""

    transport: asyncio.SubprocessTransport | None = None
    output: bytearray = field(default_factory=bytearray)
    errors: bytearray = field(default_factory=bytearray)
    too_much: bool = False
    exited: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def talk(self, question: bytes) -> None:
        """Give the program its question and wait until it has ended and its output is read."""
        assert self.transport is not None
        stdin: Any = self.transport.get_pipe_transport(0)
        stdin.write(question)
        stdin.write_eof()
        await self.exited.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(LEFT_BEHIND_S):
                await self.closed.wait()

    async def end(self) -> None:
        """Kill what is still there of it, and reap it."""
        transport = self.transport
        assert transport is not None
        self.kill()
        if not self.exited.is_set():
            await self.exited.wait()
        transport.close()

    def kill(self) -> None:
        """Kill the program and everything it started."""
        assert self.transport is not None
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.transport.get_pid(), signal.SIGKILL)
        elif not self.exited.is_set():
            with suppress(ProcessLookupError):
                self.transport.kill()

    @property
    def status(self) -> int | None:
        """Its exit status; negative where a signal ended it."""
        assert self.transport is not None
        return self.transport.get_returncode()

    def tail(self) -> str:
        """Return the end of what it wrote to stderr."""
        return clean_text(self.errors.decode("utf-8", "replace"))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep what it writes, up to the caps."""
        if fd == 2:
            self.errors += data
            del self.errors[: max(0, len(self.errors) - MOST_TAIL_BYTES)]
        elif not self.too_much:
            self.output += data
            if len(self.output) > MOST_OUTPUT_BYTES:
                self.too_much = True
                self.output.clear()
                self.kill()

    def process_exited(self) -> None:
        """Its process has ended."""
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Its process has ended and every pipe is closed."""
        self.closed.set()
