"""command: a program that reads a request as JSON and writes the response."""

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
from functools import partial
from time import monotonic
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from pytest_evals.exchange import Request, Response
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.ground.errors import AnswerError
from pytest_evals.ground.process_tree import ProcessTree
from pytest_evals.model import Model
from pytest_evals.providers.base import CONTEXT, ProviderContext
from pytest_evals.providers.option_types import (
    Value,
    env_names,
    literal_values,
    read_values,
    secret_names,
)
from pytest_evals.providers.parsing import clean_text, parse_json, response_of, to_json
from pytest_evals.providers.recording import RecordEnv, RecordHttp, environ_here

MAX_OUTPUT_BYTES = 10 * 1024 * 1024
"""Maximum size of a program's output; it is killed if it writes more."""
STDERR_TAIL_BYTES = 16 * 1024
"""Size of the end of its stderr that is kept."""
CHILDREN_S = 0.5
"""Seconds that child processes may keep the output open after the program has ended."""


def _split(value: object) -> object:
    """Split a command line into words, as a shell does."""
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError as error:
        raise ValueError(f"the command line cannot be split into words ({error})") from None


class CommandOptions(Frozen):
    """Options of the `command` provider."""

    command: Annotated[tuple[str, ...], BeforeValidator(_split), Field(min_length=1)]
    """The program and its arguments, as a list or as one line that is split into words, without a
    shell. A program with a folder (``./agent``) is searched for in `cwd`, then beside the
    dataset."""
    cwd: str = "."
    """The folder it runs in, relative to the rootdir."""
    env: dict[str, Value] = Field(default_factory=dict)
    """Environment variables in addition to those of the session."""
    record_http: RecordHttp = False
    """Whether to record its calls to model APIs and replay them later; or a list of address
    prefixes whose calls are recorded. OPENAI_BASE_URL, ANTHROPIC_BASE_URL and `record_env` redirect
    the calls to a server on this machine. The program itself then runs each time, also in a
    replay."""
    record_env: RecordEnv = Field(default_factory=dict)
    """Further environment variables from which it reads the address of an API, with the real
    address (`{MISTRAL_BASE_URL: "https://api.mistral.ai/v1"}`)."""
    output: Literal["auto", "text", "json"] = "auto"
    """The format of its output: ``text``, ``json`` (anything else is an error), or ``auto``: a JSON
    object is parsed, anything else is text."""


class CommandProvider:
    """Runs a program once for each request.

    It reads one JSON object on stdin (``input``, ``messages``, ``params``, ``variables``,
    ``tools``, ``case_id``, ``model``, ``sample``, ``turn``, ``turns``) and writes the response on
    stdout: text, or a JSON object with ``text`` or ``answer``, ``tool_calls``, ``usage``,
    ``cost_usd``, ``data``, ``metadata``, ``trace``. It runs in the rootdir with the environment of
    the session. A status other than 0 is an error of the trial, which shows the end of stderr. Its
    child processes are ended with it, at the latest at the timeout, on Linux also in sessions
    of their own (``setsid``). Stored responses are reused only if the model has ``stored: true``,
    since the program may have changed.
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
        """Return the variables that `env` reads from the environment."""
        return env_names(CommandOptions.model_validate(model.options).env)

    def host(self) -> str | None:
        """Return None: no server is called."""
        return None

    def prepare(self) -> None:
        """Check that the program and its folder exist.

        Raises:
            AnswerError: of type ``target``; says what was searched.
        """
        if not self._cwd.is_dir():
            raise AnswerError("target", f"`{self._line}`: there is no folder {self._cwd} (`cwd`)")
        self._program()

    def identity(self, request: Request) -> Json:
        """Return the command, its input and the names of its secrets."""
        payload = self._payload(request)
        context = {"case_id": payload.pop("case_id"), "folder": self._context.folder_name}
        return {
            "command": list(self._options.command),
            "cwd": self._options.cwd,
            "env": literal_values(self._options.env),
            "output": self._options.output,
            "body": payload,
            CONTEXT: {**context, **secret_names(env=self._options.env).get(CONTEXT, {})},
        }

    async def complete(self, request: Request) -> Response:
        """Run the program once.

        Raises:
            AnswerError: of type ``target``: it cannot be started, ended with a status other than 0,
                wrote too much, or wrote an invalid response.
        """
        payload = json.dumps(self._payload(request)).encode("ascii") + b"\n"
        started = monotonic()
        run = await self._start()
        try:
            await run.communicate(payload)
        finally:
            await run.end()
        duration_s = monotonic() - started
        self._check(run)
        response = self._response(bytes(run.output))
        return response.model_copy(
            update={
                "latency_s": duration_s if response.latency_s is None else response.latency_s,
                "output": response.output or run.tail(),
            }
        )

    async def aclose(self) -> None:
        """Do nothing: each program ended with its call."""

    def _program(self) -> str:
        """Find the program."""
        name = self._options.command[0]
        has_folder = os.path.dirname(name) != ""  # noqa: PTH120 - "./agent" must keep its dot
        if has_folder:
            return self._beside(name)
        search = self._options.env.get("PATH")
        path_variable = search if isinstance(search, str) else self._context.environ.get("PATH")
        program = shutil.which(name, path=path_variable)
        if program is None:
            hint = f" (write ./{name})" if (self._cwd / name).is_file() else ""
            raise AnswerError(
                "target",
                f"`{self._line}`: no program {name!r} on PATH{hint}; searched {path_variable}",
            )
        return program

    def _beside(self, name: str) -> str:
        """Find a program with a folder in its name: in `cwd`, then beside the dataset."""
        folders = [self._cwd, self._context.folder or self._cwd]
        paths = list(dict.fromkeys(folder / name for folder in folders))
        for path in paths:
            if path.is_file() and os.access(path, os.X_OK):
                return str(path)
        files = [path for path in paths if path.is_file()]
        if files:
            raise AnswerError("target", f"`{self._line}`: {files[0]} is not executable (chmod +x)")
        searched = " and ".join(map(str, paths))
        raise AnswerError("target", f"`{self._line}`: there is no program {searched}")

    async def _start(self) -> "_Run":
        """Start the program in a new process group, so that its children can be ended too."""
        variables = read_values(self._options.env, self._context.environ)
        environ = dict(await environ_here({**self._context.environ, **variables}))
        group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        loop, tree = asyncio.get_running_loop(), ProcessTree()
        try:
            transport, run = await loop.subprocess_exec(
                partial(_Run, tree),
                self._program(),
                *self._options.command[1:],
                cwd=self._cwd,
                env=tree.environ(environ),
                **group,
            )
        except (OSError, ValueError) as error:
            raise AnswerError(
                "target", f"`{self._line}` cannot be started in {self._cwd}: {error}"
            ) from None
        run.transport = transport
        return run

    def _payload(self, request: Request) -> dict[str, Any]:
        """Return the input of the program."""
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
        """Raise the error of a run that failed."""
        if run.too_much:
            raise AnswerError(
                "target",
                f"`{self._line}` wrote more than {MAX_OUTPUT_BYTES // 1024**2} MB and was killed",
                detail=run.tail() or None,
            )
        if run.status == 0:
            return
        tail = run.tail() or bytes(run.output[-STDERR_TAIL_BYTES:]).decode("utf-8", "replace")
        last_line = tail.strip().splitlines()[-1:] or ["it wrote nothing to stderr"]
        raise AnswerError(
            "target",
            f"`{self._line}` {_ending(run.status)}: {last_line[0][:300]}",
            detail=tail or None,
        )

    def _response(self, output: bytes) -> Response:
        """Read the output of the program."""
        form = self._options.output
        text = clean_text(output.decode("utf-8", "replace")).removesuffix("\n").removesuffix("\r")
        try:
            value = None if form == "text" else parse_json(output)
        except ValueError as error:
            if form == "json":
                raise AnswerError(
                    "target", f"`{self._line}` wrote what is not JSON ({error}): {text[:300]!r}"
                ) from None
            value = None
        try:
            if form == "json" and value is not None:
                return response_of(value)
            return response_of(value) if isinstance(value, dict) else response_of(text)
        except ValueError as error:
            raise AnswerError(
                "target", f"`{self._line}` wrote JSON that is no answer: {error}", detail=text
            ) from None


def _ending(status: int | None) -> str:
    """Return how a program ended."""
    if status is None or status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


@dataclass(eq=False)
class _Run(asyncio.SubprocessProtocol):
    """One run of a program: collects its output and ends its processes."""

    tree: ProcessTree
    transport: asyncio.SubprocessTransport | None = None
    output: bytearray = field(default_factory=bytearray)
    errors: bytearray = field(default_factory=bytearray)
    too_much: bool = False
    exited: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def communicate(self, payload: bytes) -> None:
        """Write the input of the program; wait until it has ended and its output is read."""
        assert self.transport is not None
        stdin: Any = self.transport.get_pipe_transport(0)
        stdin.write(payload)
        stdin.write_eof()
        await self.exited.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(CHILDREN_S):
                await self.closed.wait()

    async def end(self) -> None:
        """Kill its remaining processes and reap it."""
        transport = self.transport
        assert transport is not None
        await asyncio.to_thread(self.kill)
        if not self.exited.is_set():
            await self.exited.wait()
        transport.close()

    def kill(self) -> None:
        """Kill the program and all that it has started."""
        assert self.transport is not None
        if not self.tree.kill(self.transport.get_pid()) and not self.exited.is_set():
            with suppress(ProcessLookupError):
                self.transport.kill()

    @property
    def status(self) -> int | None:
        """Its exit status; negative if a signal ended it."""
        assert self.transport is not None
        return self.transport.get_returncode()

    def tail(self) -> str:
        """Return the end of its stderr."""
        return clean_text(self.errors.decode("utf-8", "replace"))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Collect output, up to the limits."""
        if fd == 2:
            self.errors += data
            del self.errors[: max(0, len(self.errors) - STDERR_TAIL_BYTES)]
        elif not self.too_much:
            self.output += data
            if len(self.output) > MAX_OUTPUT_BYTES:
                self.too_much = True
                self.output.clear()
                self.kill()

    def process_exited(self) -> None:
        """Note that the process has ended."""
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the process has ended and every pipe is closed."""
        self.closed.set()
