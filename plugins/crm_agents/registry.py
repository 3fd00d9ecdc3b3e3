"""Model versions: registered in MLflow, mirrored in ``crm_ai.models``, served from their files.

The only module that imports MLflow, and only to write: who serves is read by SQL (`model_versions`) and models are loaded
from plain files (`serving`), so that scoring neither waits for MLflow's import nor depends on its server. Writing goes
straight to MLflow's PostgreSQL store with files in the installation's folder, not through its HTTP server: training works
while the server is down and holds no password, and registering takes about a second instead of three to four.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from crm_agents import model_versions, postgres
from crm_agents.errors import CrmAgentsError
from crm_agents.model_card import CARD
from crm_agents.model_versions import ModelVersion, champion, versions
from crm_agents.serving import Served, ServingModel, folder_sha256, load, usable
from crm_agents.settings import Settings, load_settings
from crm_agents.usability import why_not_trained

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from mlflow import MlflowClient

__all__ = [
    "CARD",
    "ModelVersion",
    "Registration",
    "Served",
    "ServingModel",
    "champion",
    "load",
    "log_run",
    "register",
    "revert",
    "sync_aliases",
    "usable",
    "versions",
    "why_not_trained",
]

MODEL_FOLDER = "data"
ALIASES = ("champion", "challenger", "previous")


@dataclass(frozen=True)
class Registration:
    """What is kept of one trained version.

    Parameters
    ----------
    folder : Path
        The model's files.
    input_example : DataFrame
        A few made-up rows (no customer's): also the signature.
    output_example : ndarray
        The predictions for them.
    files : mapping
        Bytes by file name: model card, charts.
    """

    model: str
    method: str
    folder: Path
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Any]
    tags: Mapping[str, str]
    input_example: pd.DataFrame
    output_example: np.ndarray
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Registered:
    """Where a registered version is: its number, and its folder and card relative to the model folder."""

    version: str
    artifact_uri: str
    artifact_sha256: str
    card_uri: str | None


def register(registration: Registration) -> Registered:
    """Log one trained version to MLflow and register it.

    Raises
    ------
    CrmAgentsError
        When MLflow's database or the model folder cannot be written.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    settings = load_settings()
    try:
        with tempfile.TemporaryDirectory(prefix="crm-agents-model-") as scratch:
            return _register(_client(settings), registration, settings, Path(scratch))
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CrmAgentsError(
            f"{registration.model} could not be registered in MLflow: {reason}.",
            "`crm-agents status` shows whether PostgreSQL is running; then repeat the training.",
        ) from error


def log_run(
    experiment: str, *, name: str, numbers: Mapping[str, float], files: Mapping[str, bytes], tags: Mapping[str, str]
) -> str:
    """Log a run of MLflow that is no version of a model (pictures of a segmentation, for example); return its id.

    Raises
    ------
    CrmAgentsError
        When MLflow's database or its folder cannot be written.
    """
    from mlflow.entities import Metric
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    settings = load_settings()
    try:
        client = _client(settings)
        run = client.create_run(_experiment(client, experiment, settings), run_name=name, tags=dict(tags))
        client.log_batch(run.info.run_id, metrics=[Metric(key, float(value), 0, 0) for key, value in numbers.items()])
        with tempfile.TemporaryDirectory(prefix="crm-agents-files-") as folder:
            for file, content in files.items():
                (Path(folder) / file).write_bytes(content)
                client.log_artifact(run.info.run_id, str(Path(folder) / file))
        client.set_terminated(run.info.run_id)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CrmAgentsError(
            f"The files of {experiment} could not be logged in MLflow: {reason}.",
            "`crm-agents status` shows whether PostgreSQL is running; then clear this task.",
        ) from error
    return str(run.info.run_id)


def revert(model: str, as_of: date | None = None, run_id: str | None = None) -> tuple[ModelVersion, ModelVersion]:
    """Put the champion before the present one in charge again, here and in MLflow; return (before, now).

    With a `run_id`, a retry of that run finishes what the first try could not, and does not go back once more.
    """
    before, now = model_versions.revert(model, as_of, run_id)
    sync_aliases(model)
    return before, now


def sync_aliases(model: str) -> None:
    """Make MLflow's aliases equal those of ``crm_ai.models``, which is written first and decides."""
    from mlflow.exceptions import MlflowException

    client = _client(load_settings())
    wanted = model_versions.aliases(model)
    try:
        present = client.get_registered_model(model).aliases
        for alias in ALIASES:
            if alias in wanted and str(present.get(alias)) != wanted[alias]:
                client.set_registered_model_alias(model, alias, wanted[alias])
            elif alias in present and alias not in wanted:
                client.delete_registered_model_alias(model, alias)
    except MlflowException as error:
        raise CrmAgentsError(
            f"The aliases of {model} could not be set in MLflow: {error}.",
            "Serving is not touched; repeat the training.",
        ) from error


def _client(settings: Settings) -> MlflowClient:
    postgres.connect("mlflow", settings=settings).close()  # fails at once and clearly; MLflow would retry for minutes
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read once, while MLflow is imported
    from mlflow import MlflowClient

    uri = f"{postgres.sqlalchemy_url('mlflow', settings=settings)}?passfile={quote(str(postgres.passfile(settings)))}"
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _register(client: MlflowClient, registration: Registration, settings: Settings, scratch: Path) -> Registered:
    """Log run, files and model; whatever fails on the way leaves nothing that serves."""
    from mlflow.entities import LoggedModelOutput

    experiment_id = _experiment(client, registration.model, settings)
    run = client.create_run(
        experiment_id, run_name=f"{registration.model} {registration.method}", tags=_tags(registration)
    )
    _log_numbers(client, run.info.run_id, registration)
    for name, content in registration.files.items():
        (scratch / name).write_bytes(content)
        client.log_artifact(run.info.run_id, str(scratch / name))
    logged = client.create_logged_model(experiment_id, name=registration.model, source_run_id=run.info.run_id)
    _write_model_folder(scratch / "model", registration, logged.model_id)
    client.log_model_artifacts(logged.model_id, str(scratch / "model"))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run.info.run_id, [LoggedModelOutput(logged.model_id, step=0)])
    client.set_terminated(run.info.run_id)
    _ensure_registered_model(client, registration.model)
    version = client.create_model_version(
        registration.model,
        source=logged.artifact_location,
        run_id=run.info.run_id,
        model_id=logged.model_id,
        tags=_tags(registration),
    )
    folder = _local_path(logged.artifact_location) / MODEL_FOLDER
    card = _local_path(run.info.artifact_uri) / CARD if CARD in registration.files else None
    return Registered(
        version=str(version.version),
        artifact_uri=folder.relative_to(settings.mlflow_dir).as_posix(),
        artifact_sha256=folder_sha256(folder),
        card_uri=card.relative_to(settings.mlflow_dir).as_posix() if card else None,
    )


def _experiment(client: MlflowClient, model: str, settings: Settings) -> str:
    """Return the experiment of `model` whose files lie in this installation's folder.

    An experiment's place is fixed when it is made. A home folder that was moved, or restored elsewhere, gets experiments
    of its own, so that no file is ever written to the old place.
    """
    place = (settings.mlflow_dir / model).as_uri()
    other_place = f"{model} ({hashlib.sha256(place.encode()).hexdigest()[:8]})"
    for name in (model, other_place):
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            return client.create_experiment(name, artifact_location=place)
        if experiment.artifact_location == place:
            return experiment.experiment_id
    raise CrmAgentsError(f"MLflow's experiment {other_place!r} keeps its files elsewhere.", "Rename it in MLflow.")


def _log_numbers(client: MlflowClient, run_id: str, registration: Registration) -> None:
    from mlflow.entities import Metric, Param

    metrics = {key: value for key, value in registration.metrics.items() if isinstance(value, int | float)}
    client.log_batch(
        run_id,
        metrics=[Metric(key, float(value), 0, 0) for key, value in metrics.items()],
        params=[Param(key, str(value)) for key, value in registration.parameters.items()],
    )


def _write_model_folder(folder: Path, registration: Registration, model_id: str) -> None:
    """Write MLflow's generic model format around the model's own files, so that ``mlflow.pyfunc`` can load them."""
    from mlflow import pyfunc
    from mlflow.models import Model, infer_signature

    shutil.copytree(registration.folder, folder / MODEL_FOLDER)
    example = registration.input_example
    (folder / "input_example.json").write_text(json.dumps(example.to_dict(orient="split")), encoding="utf-8")
    requirements = [f"{name}=={_installed(name)}" for name in ("mlflow", "numpy", "pandas", "scipy")]
    (folder / "requirements.txt").write_text("\n".join(requirements) + "\n", encoding="utf-8")
    described = Model(model_id=model_id, signature=infer_signature(example, registration.output_example))
    described.saved_input_example_info = {
        "artifact_path": "input_example.json",
        "type": "dataframe",
        "pandas_orient": "split",
        "serving_input_path": "input_example.json",
    }
    pyfunc.add_to_model(described, loader_module=f"models_ml.{registration.model}.predict", data=MODEL_FOLDER)
    described.save(str(folder / "MLmodel"))


def _ensure_registered_model(client: MlflowClient, model: str) -> None:
    if not client.search_registered_models(f"name = '{model}'", max_results=1):
        client.create_registered_model(model)


def _tags(registration: Registration) -> dict[str, str]:
    return {"model": registration.model, "method": registration.method, **registration.tags}


def _local_path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


def _installed(name: str) -> str:
    from importlib.metadata import version

    return version(name)
