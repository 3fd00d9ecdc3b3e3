"""Load a registered model version from its files, and score and explain with it."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_agents.company import loaded_company
from crm_agents.errors import CrmAgentsError
from crm_agents.model_versions import ModelVersion, baseline_before, champion
from crm_agents.settings import load_settings

if TYPE_CHECKING:
    from types import ModuleType

    import numpy as np
    import pandas as pd


@dataclass(frozen=True)
class ServingModel:
    """A loaded model version: frames in, probabilities and reasons out."""

    version: ModelVersion
    fitted: Any
    module: ModuleType

    @property
    def features(self) -> tuple[str, ...]:
        """Columns that the frames must have."""
        return self.fitted.features

    @property
    def horizon_days(self) -> int:
        """Days that it looks ahead: those that it was trained for."""
        return int(self.fitted.facts["horizon_days"])

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the (n,) predictions.

        Raises
        ------
        CrmAgentsError
            When the frame lacks a column that the model was trained on.
        """
        with self._explained():
            return self.module.predict(self.fitted, frame)

    def reasons(self, frame: pd.DataFrame, top: int = 5) -> pd.DataFrame:
        """Return the reasons of each row's prediction (columns: see the model's ``predict.reasons``).

        Parameters
        ----------
        frame : DataFrame
            The features, and ``entity_id``.
        """
        frame = frame.rename(columns={"entity_id": self.module.config.ENTITY})
        with self._explained():
            contributions, base = self.module.contributions(self.fitted, frame)
            currency = loaded_company().currency
            return self.module.reasons(self.fitted, frame, contributions, base, top, currency=currency)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise CrmAgentsError(
                f"{self.version.model} version {self.version.version} cannot be used: {error}.",
                "Rebuild the features, or train anew with `crm-agents run train_models`.",
            ) from error


@dataclass(frozen=True)
class Served:
    """Who can serve: `model` is None when nobody can; `problem` says why the champion itself cannot."""

    model: ServingModel | None
    problem: str | None = None


def usable(model: str, as_of: date, columns: Collection[str]) -> Served:
    """Return the champion of day `as_of`, or where it cannot be used the newest baseline trained up to that day.

    Parameters
    ----------
    columns : collection of str
        Those that the feature table has today.
    """
    serving = champion(model, as_of)
    if serving is None:
        return Served(None)
    found, problem = _loaded(serving, columns)
    if found is not None:
        return Served(found)
    baseline = baseline_before(model, as_of)
    if baseline is not None and baseline.version != serving.version:
        found, _ = _loaded(baseline, columns)
    return Served(found, problem)


def _loaded(version: ModelVersion, columns: Collection[str]) -> tuple[ServingModel | None, str | None]:
    try:
        found = load(version)
    except CrmAgentsError as error:
        return None, str(error)
    missing = [name for name in found.features if name not in columns]
    if missing:
        return None, (
            f"{version.model} version {version.version} was trained on {', '.join(missing)}, which the features no longer "
            "have. Train anew with `crm-agents run train_models`."
        )
    return found, None


def load(version: ModelVersion) -> ServingModel:
    """Load the files of `version` and check that they are what was registered.

    Raises
    ------
    CrmAgentsError
        When they are gone, damaged, or of another format.
    """
    way_out = (
        f"Train anew with `crm-agents run train_models`, or go back with `crm-agents models revert {version.model}`."
    )
    name = f"{version.model} version {version.version}"
    settings = load_settings()
    folder = settings.mlflow_dir / (version.artifact_uri or "")
    if not version.artifact_uri or not folder.is_dir():
        raise CrmAgentsError(f"The files of {name} are gone: {folder} does not exist.", way_out)
    if folder_sha256(folder) != version.artifact_sha256:
        raise CrmAgentsError(f"The files of {name} in {folder} are not those that were registered.", way_out)
    module = importlib.import_module(f"models_ml.{version.model}.predict")
    try:
        fitted = module.load(folder, threads=settings.model_threads)
    except (OSError, ValueError, KeyError) as error:
        raise CrmAgentsError(f"The files of {name} cannot be read: {error}.", way_out) from error
    return ServingModel(version, fitted, module)


def folder_sha256(folder: Path) -> str:
    """Return one hash over the names and contents of all files in `folder`."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return total.hexdigest()
