"""Load a bandit, and choose what to do with each entity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from models_ml.next_best_action import config
from models_ml.next_best_action.bandit import Bandit
from models_ml.next_best_action.choice import draw
from models_ml.next_best_action.errors import ActionInputError
from models_ml.next_best_action.limits import thompson
from models_ml.next_best_action.policy import allowed_matrix, control_arm

EXPECTED = "expected_"  # then the name of an option


def load(folder: Path | str, threads: int = 1) -> Bandit:
    """Read a bandit from its folder of plain files."""
    del threads
    return Bandit.load(Path(folder))


def expected_rewards(bandit: Bandit, frame: pd.DataFrame) -> np.ndarray:
    """Return the (n, k) expected reward of each option, costs deducted."""
    return bandit.values(frame)[0]


def probabilities(
    bandit: Bandit, frame: pd.DataFrame, allowed: pd.DataFrame | None = None, *, max_contact_share: float = 1.0
) -> np.ndarray:
    """Return the (n, k) probabilities with which the bandit takes each option, for entities outside the control arm.

    Parameters
    ----------
    frame : DataFrame
        The bandit's feature columns.
    allowed : DataFrame of bool, optional
        See `policy.allowed_matrix`.
    max_contact_share : float
        At most this share of the rows is contacted, in expectation.
    """
    mean, spread = bandit.values(frame)
    may = allowed_matrix(bandit.options, allowed, len(frame))
    return thompson(mean, spread, may, bandit.options, floor=bandit.exploration, max_contact_share=max_contact_share)


def choose(
    bandit: Bandit,
    frame: pd.DataFrame,
    allowed: pd.DataFrame | None = None,
    *,
    as_of: date,
    seed: int = config.SEED,
    max_contact_share: float = 1.0,
    is_control: np.ndarray | None = None,
) -> pd.DataFrame:
    """Choose an option for each entity; the same again when asked again.

    Parameters
    ----------
    frame : DataFrame
        entity_id, each once, and the bandit's feature columns.
    allowed : DataFrame of bool, optional
        A column for each option but `do_nothing`, in the order of `frame`; a missing value allows nothing.
    as_of : date
        The day of the decision.
    max_contact_share : float
        At most this share of the entities outside the control arm is contacted, in expectation.
    is_control : ndarray of bool, shape (n,), optional
        Who is in the control arm; by default `policy.control_arm` of the entities in `frame`. Give it when `frame` holds only
        some of the company's entities: the arm is one of the whole company.

    Returns
    -------
    DataFrame
        entity_id, arm (control or treatment), option, propensity (1 in the control arm), and for each option expected_<name>,
        its expected reward with costs deducted; in the order and with the index of `frame`.

    Raises
    ------
    ActionInputError
        When an entity is there twice, a column is not there, or an option is unknown.
    """
    entities = frame[config.ENTITY]
    if entities.duplicated().any():
        raise ActionInputError(f"entity {entities[entities.duplicated()].iloc[0]} is there twice; decide once on each")
    control = control_arm(entities) if is_control is None else np.asarray(is_control, dtype=bool)
    chances = np.zeros((len(frame), len(bandit.options)))
    chances[:, 0] = 1.0
    treated = None if allowed is None else allowed[~control]
    chances[~control] = probabilities(bandit, frame[~control], treated, max_contact_share=max_contact_share)
    place = draw(chances, entities, as_of, seed)
    result = pd.DataFrame(
        {
            config.ENTITY: entities.to_numpy(dtype=object),
            "arm": np.where(control, config.CONTROL, config.TREATMENT),
            "option": np.array(_names(bandit), dtype=object)[place],
            "propensity": chances[np.arange(len(frame)), place],
        },
        index=frame.index,
    )
    columns = [EXPECTED + name for name in _names(bandit)]
    return result.join(pd.DataFrame(expected_rewards(bandit, frame), columns=columns, index=frame.index))


def _names(bandit: Bandit) -> Sequence[str]:
    return [it.name for it in bandit.options]


def _load_pyfunc(path: str) -> MlflowModel:
    """Open the bandit for MLflow's generic loader (its name is MLflow's)."""
    return MlflowModel(load(path))


class MlflowModel:
    """What ``mlflow.pyfunc.load_model`` returns wraps this: features in, the expected reward of each option out."""

    def __init__(self, bandit: Bandit) -> None:
        self.bandit = bandit

    def predict(self, frame: pd.DataFrame, params: dict | None = None) -> np.ndarray:
        """Return the (n, k) expected rewards."""
        del params
        return expected_rewards(self.bandit, frame)
