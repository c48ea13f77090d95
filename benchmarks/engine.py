"""How fast the engine is, against a bare client and against pytest running items that do nothing.

    python benchmarks/engine.py            # the whole table, medians of five
    python benchmarks/engine.py --runs 1   # a quick look
    python benchmarks/engine.py --only 0ms # the rows whose name has this in it

Every figure is a whole process, measured in turn with what it is compared to; the ratios are what
counts, since machines differ and are noisy. Needs aiohttp and pytest-xdist beside the package.
"""

import argparse
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
NOOP = """
import pytest
class F(pytest.File):
    def collect(self):
        n = int(self.path.read_text())
        for i in range(n):
            name = f"case-{i}[m]"
            yield I.from_parent(self, name=name, nodeid=f"{self.nodeid}::{name}")
class I(pytest.Item):
    def runtest(self):
        pass
def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".noop":
        return F.from_parent(parent, path=file_path)
"""
BARE = """
import asyncio, json, sys
import aiohttp
url, n, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
async def main():
    slots = asyncio.Semaphore(at_once)
    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(connector=connector) as session:
        async def call(i):
            body = {"model": "bench", "messages": [{"role": "user", "content": f"question {i}"}]}
            async with slots, session.post(url + "/chat/completions", json=body) as answer:
                data = await answer.json()
                assert data["choices"][0]["message"]["content"]
        await asyncio.gather(*(call(i) for i in range(n)))
asyncio.run(main())
"""


@dataclass
class Row:
    """One line of the table."""

    name: str
    bar: str
    ours: float
    other: float
    value: float
    unit: str
    met: bool


def run(command: list[str], folder: Path) -> tuple[float, int]:
    """Run a command; return its wall seconds and its peak memory in KB."""
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""}
    began = time.perf_counter()
    done = subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    out = done.stdout.read() if done.stdout else b""
    _, status, usage = os.wait4(done.pid, 0)
    done.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{out.decode()[-3000:]}")
    return wall, usage.ru_maxrss


def pytest_command(*args: str) -> list[str]:
    """Return the pytest command, with only the plugins that are measured."""
    return [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"),
        *("-p", "no:hypothesispytest", "-p", "no:anyio", "--color=no", *args),
    ]


@contextmanager
def server(delay: float) -> Iterator[str]:
    """Run the server in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(HERE / "server.py"), str(port), str(delay)])
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


def dataset(folder: Path, url: str, cases: int) -> Path:
    """Write a JSONL dataset of so many cases for the server."""
    path = folder / "bench.jsonl"
    head = {
        "$dataset": {
            "name": "bench",
            "models": [{"id": "m", "provider": "openai", "model": "bench", "base_url": url}],
            "scorers": [{"contains": "42"}],
        }
    }
    with path.open("w") as file:
        file.write(json.dumps(head) + "\n")
        for i in range(cases):
            file.write(json.dumps({"id": f"case-{i}", "input": f"question {i}"}) + "\n")
    return path


def noop(folder: Path, items: int) -> Path:
    """Write a file of so many items that do nothing."""
    (folder / "conftest.py").write_text(NOOP)
    path = folder / "items.noop"
    path.write_text(str(items))
    return path


def pairs(runs: int, ours: list[str], other: list[str], folder: Path, *, fresh: bool = True):
    """Run two commands in turn; return the medians of their wall seconds."""
    a, b = [], []
    for _ in range(runs):
        for command, walls in ((ours, a), (other, b)):
            if fresh:
                shutil.rmtree(folder / ".evals", ignore_errors=True)
            walls.append(run(command, folder)[0])
    return statistics.median(a), statistics.median(b)


def against_bare(folder: Path, runs: int, cases: int, delay: float, bar: float) -> Row:
    """Compare asking a server with a bare client that makes the same calls."""
    with server(delay) as url:
        path = dataset(folder, url, cases)
        (folder / "bare.py").write_text(BARE)
        ours = pytest_command("--evals", "--evals-concurrency=100", str(path))
        other = [sys.executable, "bare.py", url, str(cases), "100"]
        a, b = pairs(runs, ours, other, folder)
    name = f"{cases:,} trials, {delay * 1000:.0f} ms, concurrency 100"
    return Row(name, f"<= {bar} x bare aiohttp", a, b, a / b, "x", a / b <= bar)


def above_noop(folder: Path, runs: int, cases: int, bar_ms: float, *, stored: bool) -> Row:
    """Compare trials with items that do nothing."""
    with server(0.0) as url:
        path = dataset(folder, url, cases)
        items = noop(folder, cases)
        ours = pytest_command("--evals", "--evals-concurrency=100", str(path))
        if stored:
            run(ours, folder)
        a, b = pairs(runs, ours, pytest_command(str(items)), folder, fresh=not stored)
    each = (a - b) / cases * 1000
    what = "from stored answers" if stored else "0 ms, concurrency 100"
    return Row(
        f"{cases:,} trials, {what}",
        f"<= {bar_ms} ms a trial above no-op",
        a,
        b,
        each,
        "ms",
        each <= bar_ms,
    )


def collecting(folder: Path, runs: int, cases: int, kind: str) -> Row:
    """Compare collecting a dataset with collecting as many items that do nothing."""
    if kind == "jsonl":
        path = dataset(folder, "http://127.0.0.1:9/v1", cases)
    else:
        path = folder / "bench.yaml"
        rows = "".join(
            f"  - id: case-{i}\n    input: question {i}\n    scorers: [{{contains: '42'}}]\n"
            for i in range(cases)
        )
        path.write_text(
            "models: [{id: m, provider: openai, model: b, base_url: 'http://127.0.0.1:9/v1'}]\n"
            f"cases:\n{rows}"
        )
    items = noop(folder, cases)
    ours = pytest_command("--evals", "--collect-only", "-qq", str(path))
    other = pytest_command("--collect-only", "-qq", str(items))
    a, b = pairs(runs, ours, other, folder)
    return Row(f"collect {cases:,} from {kind}", "<= 2 x no-op items", a, b, a / b, "x", a / b <= 2)


def one_scripted(folder: Path, runs: int) -> Row:
    """Compare one scripted trial with one item that does nothing."""
    path = folder / "one.yaml"
    path.write_text(
        "cases:\n- id: a\n  input: hello\n  scorers: [{contains: hi}]\n"
        "  script: [{kind: chat_response, content: hi}]\n"
    )
    items = noop(folder, 1)
    a, b = pairs(
        max(runs, 5), pytest_command("--evals", str(path)), pytest_command(str(items)), folder
    )
    more = (a - b) * 1000
    return Row(
        "one scripted trial, whole process", "<= 250 ms above no-op", a, b, more, "ms", more <= 250
    )


def with_xdist(folder: Path, runs: int) -> Row:
    """Compare two workers with none: 40 trials of a second, 20 at once."""
    with server(1.0) as url:
        path = dataset(folder, url, 40)
        ours = pytest_command("--evals", "--evals-concurrency=20", str(path))
        a, b = pairs(runs, [*ours, "-n", "2"], ours, folder)
    return Row(
        "40 trials of 1 s, limit 20, -n 2", "<= 2 x without xdist", a, b, a / b, "x", a / b <= 2
    )


def memory(folder: Path, cases: int) -> list[Row]:
    """Measure how memory grows with the number of trials, and whether time per trial does."""
    few = 1000
    with server(0.0) as url:
        figures = {}
        for number in (few, cases):
            path = dataset(folder, url, number)
            ours = pytest_command("--evals", "--evals-concurrency=100", str(path))
            shutil.rmtree(folder / ".evals", ignore_errors=True)
            run(ours, folder)
            wall, peak = run(ours, folder)
            bare_wall, bare_peak = run(pytest_command(str(noop(folder, number))), folder)
            figures[number] = (wall, peak, bare_wall, bare_peak)
    wall_few, peak_few, _, noop_few = figures[few]
    wall, peak, _, noop_peak = figures[cases]
    ours_kb = (peak - peak_few) / (cases - few)
    noop_kb = (noop_peak - noop_few) / (cases - few)
    each, each_few = wall / cases * 1000, wall_few / few * 1000
    return [
        Row(
            f"{cases:,} stored: KB a trial (no-op items beside)",
            "<= 4 KB a trial",
            ours_kb,
            noop_kb,
            ours_kb,
            "KB",
            ours_kb <= 4,
        ),
        Row(
            f"{cases:,} stored: ms a trial, against {few:,}",
            "no worse",
            each,
            each_few,
            each / each_few,
            "x",
            each <= each_few,
        ),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    plans = {
        "1000 200ms": lambda f: [against_bare(f, args.runs, 1000, 0.2, 1.4)],
        "1000 0ms": lambda f: [above_noop(f, args.runs, 1000, 2.0, stored=False)],
        "5000 50ms": lambda f: [against_bare(f, args.runs, 5000, 0.05, 2.0)],
        "1000 stored": lambda f: [above_noop(f, args.runs, 1000, 0.7, stored=True)],
        "collect yaml": lambda f: [collecting(f, args.runs, 10_000, "yaml")],
        "collect jsonl": lambda f: [collecting(f, args.runs, 100_000, "jsonl")],
        "memory 100000": lambda f: memory(f, 100_000),
        "one scripted": lambda f: [one_scripted(f, args.runs)],
        "xdist 40": lambda f: [with_xdist(f, args.runs)],
    }
    print(f"{'work':<48} {'bar':<32} {'ours':>9} {'other':>9} {'result':>10}")
    for name, plan in plans.items():
        if args.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for row in plan(Path(folder)):
                mark = "" if row.met else "  NOT MET"
                print(
                    f"{row.name:<48} {row.bar:<32} {row.ours:>9.2f} {row.other:>9.2f} "
                    f"{row.value:>7.2f} {row.unit}{mark}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
