"""Which models a dataset is asked of: its own, or those that the user names."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import SettingsError, suggest
from pytest_evals.matrix import default_models
from pytest_evals.model import Model

if TYPE_CHECKING:
    from pytest_evals.registry import Registry


def chosen_models(
    registry: "Registry", dataset: Dataset, names: Sequence[str], *, option: str = "--evals-model"
) -> tuple[Model, ...]:
    """Return the models that are asked: the file's, or those that were selected.

    Args:
        registry: knows the providers.
        dataset: the dataset.
        names: ids of its models, or ``provider:model``; empty takes all of its own.
        option: how the user names models, for messages.

    Raises:
        SettingsError: a name is no model of the dataset and no provider's, or there is none to ask.
    """
    known = {model.id: model for model in dataset.models}
    if not names:
        models = dataset.models or default_models(dataset)
        if not models:
            raise SettingsError(
                f"{dataset.path}: no model to ask. Give the dataset `models`, or name one "
                f"with {option} provider:model"
            )
        return models
    chosen: list[Model] = []
    for name in names:
        if name in known:
            chosen.append(known[name])
            continue
        provider = name.partition(":")[0]
        if registry.provider(provider) is None:
            _, providers = registry.names()
            raise SettingsError(
                f"{option} {name}: {dataset.path} has no such model, and "
                f"{provider!r} is no provider.{suggest(name, (*known, *providers))}"
            )
        model = registry.parse_model(name)
        if problems := [message for _, message in registry.check_model(model)]:
            raise SettingsError(
                f"{option} {name}: {'; '.join(problems)}. Define the model in the dataset's "
                "`models`, where it can have options, and select it by its id"
            )
        chosen.append(model)
    return tuple({model.id: model for model in chosen}.values())
