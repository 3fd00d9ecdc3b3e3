"""Who is treated by an agent, who is left alone, and on whom business goes on as usual: by a hash, for ever.

The control arm is that of `models_ml.next_best_action.policy.control_arm`, so an agent that chooses by the bandit and a report on
its lift mean the same customers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_agents.errors import CrmAgentsError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

TREATMENT, CONTROL, BUSINESS_AS_USUAL = "treatment", "control", "business_as_usual"
LEAST_CONTROL_SHARE = 0.10
USUAL_SALT = "arms: business as usual"


@dataclass(frozen=True)
class ArmShares:
    """How many of a company's customers are in which arm; the rest is treated.

    Parameters
    ----------
    control : float
        Left alone: at least 0.1. The default is 2 points above, for what chance takes away in a small company.
    business_as_usual : float
        No agent decides on them: people do what they have always done. 0: there is no such arm.

    Raises
    ------
    CrmAgentsError
        When the shares leave nobody to be treated, or too few alone.
    """

    control: float = 0.12
    business_as_usual: float = 0.10

    def __post_init__(self) -> None:
        """Check what a user can get wrong."""
        if not self.control >= LEAST_CONTROL_SHARE:
            raise CrmAgentsError(
                f"The control arm has a share of {self.control}: with fewer than 1 in 10 customers left alone nobody can "
                "tell what an agent brings.",
                f"Give it {LEAST_CONTROL_SHARE} or more.",
            )
        if not (self.business_as_usual >= 0 and self.control + self.business_as_usual < 1):
            raise CrmAgentsError(
                f"Shares of {self.control} (control) and {self.business_as_usual} (business as usual) leave nobody to treat.",
                "Give shares of 0 or more that sum to less than 1.",
            )


def arms(entity_id: pd.Series, shares: ArmShares | None = None, earlier: pd.Series | None = None) -> np.ndarray:
    """Return the arm of each entity: the same for ever, whoever comes later.

    Each entity's hash decides. Where chance leaves fewer than 10 % in the control arm, those with the next lowest hashes join it;
    that is seldom in companies of more than 2,000 customers. In smaller ones give `earlier`: otherwise one who joined that way
    may leave when newcomers come.

    Parameters
    ----------
    entity_id : Series of length n
        All entities of the company.
    shares : ArmShares, optional
        Changing them moves the hashes in between to another arm, unless `earlier` is given.
    earlier : Series, optional
        Arms of earlier decisions, with entity ids as index, each once: they stay, whatever hashes or shares say.

    Returns
    -------
    ndarray of str, shape (n,)
        `treatment`, `control` or `business_as_usual`, in the order of `entity_id`.
    """
    import numpy as np

    from models_ml.next_best_action.choice import uniform
    from models_ml.next_best_action.policy import control_arm

    wanted = shares or ArmShares()
    if not len(entity_id):
        return np.zeros(0, dtype=object)
    usual = uniform(entity_id, USUAL_SALT) < wanted.business_as_usual / (1 - wanted.control)
    result = np.where(usual, BUSINESS_AS_USUAL, TREATMENT).astype(object)
    if earlier is None:
        return np.where(control_arm(entity_id, wanted.control), CONTROL, result)
    return _beside_earlier(entity_id, wanted, result, earlier)


def _beside_earlier(entity_id: pd.Series, shares: ArmShares, result: np.ndarray, earlier: pd.Series) -> np.ndarray:
    """Return the arms where `earlier` holds for whom it names; only others join a control arm that is too small."""
    import numpy as np

    from models_ml.next_best_action.choice import uniform
    from models_ml.next_best_action.config import CONTROL_SALT

    hashes = uniform(entity_id, CONTROL_SALT)
    before = entity_id.map(earlier).to_numpy(dtype=object)
    is_known = np.isin(before, [TREATMENT, CONTROL, BUSINESS_AS_USUAL])
    result = np.where(is_known, before, np.where(hashes < shares.control, CONTROL, result))
    lacking = math.ceil(LEAST_CONTROL_SHARE * len(result)) - int((result == CONTROL).sum())
    free = np.flatnonzero(~is_known & (result != CONTROL))
    if lacking > 0:
        result[free[np.argsort(hashes[free], kind="stable")[:lacking]]] = CONTROL
    return result
