"""Selects the models of a dataset: those of its file, or those that the user names."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import SettingsError, suggest
from pytest_evals.matrix import default_models
from pytest_evals.model import Model

if TYPE_CHECKING:
    from pytest_evals.registry.registry import Registry


def select_models(
    registry: "Registry", dataset: Dataset, names: Sequence[str], *, option: str = "--evals-model"
) -> tuple[Model, ...]:
    """Return the models to run: those of the file, or the selected ones.

    Args:
        registry: the registered providers.
        dataset: the dataset.
        names: ids of its models, or ``provider:model``; empty selects all of the file.
        option: the option that names models, for messages.

    Raises:
        SettingsError: a name is neither a model of the dataset nor of a provider, or there is none.
    """
    listed = {model.id: model for model in dataset.models}
    if not names:
        models = dataset.models or default_models(dataset)
        if not models:
            raise SettingsError(
                f"{dataset.path}: no model to call. Give the dataset `models`, or name one "
                f"with {option} provider:model"
            )
        return models
    selected: list[Model] = []
    for name in names:
        if name in listed:
            selected.append(listed[name])
            continue
        provider = name.partition(":")[0]
        if registry.provider(provider) is None:
            _, providers = registry.names()
            raise SettingsError(
                f"{option} {name}: {dataset.path} has no such model, and "
                f"{provider!r} is no provider.{suggest(name, (*listed, *providers))}"
            )
        model = registry.parse_model(name)
        if problems := [message for _, message in registry.check_model(model)]:
            raise SettingsError(
                f"{option} {name}: {'; '.join(problems)}. Define the model in the dataset's "
                "`models`, where it can have options, and select it by its id"
            )
        selected.append(model)
    return tuple({model.id: model for model in selected}.values())
