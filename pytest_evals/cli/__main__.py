"""``python -m pytest_evals.cli``: the command where its script is not on the path."""

import sys

from pytest_evals.cli import main

sys.exit(main())
