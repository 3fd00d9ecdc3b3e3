"""Independent random streams: one per part of the company and chunk of customers, all from one seed."""

from __future__ import annotations

import numpy as np

# Append only: a stream is known by its place, so a new part changes none of the others.
PARTS = (
    "catalogue",
    "team",
    "campaigns",
    "leads",
    "population",
    "behaviour",
    "orders",
    "payments",
    "interactions",
    "tickets",
    "feedback",
    "opportunities",
    "activities",
    "loyalty",
    "consents",
    "dirt",
    "identities",
    "campaign members",
)


def stream(seed: int, part: str, chunk: int = 0) -> np.random.Generator:
    """Return the random generator of `part` for chunk number `chunk`.

    The same as ``SeedSequence(seed).spawn(...)[part].spawn(...)[chunk]``, without spawning the others first.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(PARTS.index(part), chunk)))
