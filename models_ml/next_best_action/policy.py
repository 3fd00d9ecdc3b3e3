"""The options of a company, the arm that is left alone, and policies to compare a learnt one with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from models_ml.next_best_action import config
from models_ml.next_best_action.choice import uniform as hashed_uniform
from models_ml.next_best_action.errors import ActionInputError


@dataclass(frozen=True)
class Option:
    """Something that can be done to an entity.

    Attributes
    ----------
    name : str
    cost : float
        Of doing it once, in reward units (currency).
    channel, purpose : str or None
        What consent it needs; for whoever works out who is allowed what.
    max_share : float
        At most this share of the entities decided about gets it, in expectation.
    """

    name: str
    cost: float
    channel: str | None = None
    purpose: str | None = None
    max_share: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


NOTHING = Option(config.DO_NOTHING, 0.0)
KEYS = frozenset(Option.__dataclass_fields__)


def options_from(settings: Iterable[Mapping[str, Any]]) -> tuple[Option, ...]:
    """Return the options of a company's settings, `do_nothing` first: it is always one, and costs nothing.

    Parameters
    ----------
    settings : iterable of mappings
        name and cost of each option, optionally channel, purpose and max_share.

    Raises
    ------
    ActionInputError
        When an option has no name or no cost, a value that cannot be, a key that nobody reads, or a name that was there before.
    """
    found = [_option(content) for content in settings]
    others = [it for it in found if it.name != config.DO_NOTHING]
    nothing = [it for it in found if it.name == config.DO_NOTHING] or [NOTHING]
    names = [it.name for it in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ActionInputError(f"option {twice[0]} is there twice; give each option a name of its own")
    if nothing[0] != NOTHING:
        raise ActionInputError(f"{config.DO_NOTHING} costs 0, has no channel and no limit; leave it out of the options")
    return (NOTHING, *others)


def _option(content: Mapping[str, Any]) -> Option:
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise ActionInputError(f"an option has no name: {dict(content)}")
    unknown = sorted(set(content) - KEYS)
    if unknown:
        raise ActionInputError(
            f"option {name} has the unknown setting {unknown[0]}; there are {', '.join(sorted(KEYS))}"
        )
    if content.get("cost") is None:
        raise ActionInputError(f"option {name} has no cost; give what doing it once costs (0 if nothing)")
    cost, share = _number(content, "cost"), _number({"max_share": 1.0, **content}, "max_share")
    if not (math.isfinite(cost) and cost >= 0):
        raise ActionInputError(f"option {name} costs {content['cost']}; expected a number of 0 or more")
    if not 0 < share <= 1:
        raise ActionInputError(
            f"option {name} has max_share {content['max_share']}; expected more than 0 and at most 1"
        )
    return Option(name, cost, content.get("channel"), content.get("purpose"), share)


def _number(content: Mapping[str, Any], key: str) -> float:
    """Return a setting as a number, not-a-number where it is none."""
    value = content[key]
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")


def places(options: Sequence[Option], names: pd.Series | Sequence[str]) -> np.ndarray:
    """Return the number of each named option among `options`.

    Raises
    ------
    ActionInputError
        When a name is none of theirs; the message says which.
    """
    index = pd.Index([it.name for it in options])
    wanted = pd.Series(names, dtype=object)
    found = index.get_indexer(pd.Index(wanted))
    if (found < 0).any():
        unknown = sorted(wanted[found < 0].astype(str).unique())
        raise ActionInputError(f"there is no option {', '.join(unknown)}; there are {', '.join(index)}")
    return found


def allowed_matrix(options: Sequence[Option], allowed: pd.DataFrame | None, rows: int) -> np.ndarray:
    """Return which option each row allows, as a bool (n, k) array; `do_nothing` is always allowed.

    Parameters
    ----------
    allowed : DataFrame of bool, optional
        A column for each option but `do_nothing`, in the order of the entities; without it everything is allowed. A missing
        value allows nothing.

    Raises
    ------
    ActionInputError
        When a column is of no option, an option has no column, or the number of rows differs.
    """
    result = np.ones((rows, len(options)), dtype=bool)
    if allowed is None:
        return result
    if len(allowed) != rows:
        raise ActionInputError(f"there are {rows} entities, but {len(allowed)} rows of what is allowed")
    places(options, list(allowed.columns))
    for number, option in enumerate(options):
        if option.name == config.DO_NOTHING:
            continue
        if option.name not in allowed.columns:
            raise ActionInputError(f"it is not said for whom option {option.name} is allowed; add the column")
        # Fails closed: whoever is not known to be allowed is not.
        result[:, number] = allowed[option.name].astype("boolean").fillna(False).to_numpy(dtype=bool)
    return result


def control_arm(
    entity_id: pd.Series, share: float = config.CONTROL_SHARE, salt: str = config.CONTROL_SALT
) -> np.ndarray:
    """Return which entities are in the control arm, as a bool (n,) array.

    An entity whose hash lies below `share` is in it for ever, whoever else is there. Where chance would leave the arm with
    less than 10 % of the entities, those with the next lowest hashes join it.

    Parameters
    ----------
    entity_id : Series of length n
        All entities of the company (of a part of them, the 10 % hold for that part).
    share : float
        0.1 to below 1.

    Raises
    ------
    ActionInputError
        When `share` is out of that range.
    """
    if not config.LEAST_CONTROL_SHARE <= share < 1:
        raise ActionInputError(
            f"the control arm has a share of {share}; it needs at least {config.LEAST_CONTROL_SHARE} and less than 1"
        )
    if not len(entity_id):
        return np.zeros(0, dtype=bool)
    hashes = hashed_uniform(entity_id, salt)
    least = math.ceil(config.LEAST_CONTROL_SHARE * len(hashes))
    return (hashes < share) | (hashes <= np.partition(hashes, least - 1)[least - 1])


def fixed(options: Sequence[Option], name: str, allowed: np.ndarray) -> np.ndarray:
    """Return the (n, k) probabilities of a policy that always takes option `name`, and nothing where it is not allowed.

    Raises
    ------
    ActionInputError
        When there is no such option.
    """
    place = int(places(options, [name])[0])
    nothing = int(places(options, [config.DO_NOTHING])[0])
    chosen = np.where(allowed[:, place], place, nothing)
    return np.eye(len(options))[chosen]


def uniform(allowed: np.ndarray) -> np.ndarray:
    """Return the (n, k) probabilities of a policy that draws among what is allowed, each alike."""
    return allowed / allowed.sum(axis=1, keepdims=True)
