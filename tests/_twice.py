"""Runs the tests on two workers a processor; what failed is run once more, by itself.

Tests with real processes, servers, clocks and a browser can fail for want of a processor. What
fails alone too is wrong. Both runs are shown.
"""

import os
import subprocess
import sys

WORKERS = str(2 * (os.cpu_count() or 1))
"""Most tests wait for processes and clocks."""
PYTEST = [sys.executable, "-m", "pytest"]


def main(args: list[str]) -> int:
    """Run pytest with these arguments; return its exit status."""
    first = subprocess.run([*PYTEST, "-n", WORKERS, *args], check=False).returncode
    if first != 1:
        return first
    sys.stdout.write("\nWhat failed is run once more, by itself.\n\n")
    sys.stdout.flush()
    return subprocess.run([*PYTEST, "--lf", "--lfnf=none", *args], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
