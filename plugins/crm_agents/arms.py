"""Which arm a customer is in: decided about, held out, or left to the company's habits; hashed, the same for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_agents.contact_settings import Personalisation

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

TREATMENT, CONTROL, AS_USUAL = "treatment", "control", "business_as_usual"
AS_USUAL_SALT = "business as usual"


def arms(customer_id: pd.Series, settings: Personalisation) -> np.ndarray:
    """Return the arm of each of all the company's customers, as an (n,) array of names.

    Parameters
    ----------
    customer_id : Series
        Everybody who can be decided about: the least share of the control arm holds for these.
    """
    import numpy as np

    from models_ml.next_best_action.choice import uniform
    from models_ml.next_best_action.policy import control_arm

    control = control_arm(customer_id, settings.holdout_share)
    as_usual = ~control & (uniform(customer_id, AS_USUAL_SALT) < settings.as_usual_share)
    return np.where(control, CONTROL, np.where(as_usual, AS_USUAL, TREATMENT)).astype(object)
