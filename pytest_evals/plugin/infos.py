"""What was planned, as the text that crosses from an xdist worker to its controller."""

from pydantic import TypeAdapter

from pytest_evals.run import DatasetInfo

INFOS = TypeAdapter(tuple[DatasetInfo, ...])
