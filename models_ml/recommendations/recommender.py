"""The chosen model as it is kept: which one, and what it has learnt. What was bought is looked up when it is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xgboost as xgb

from models_ml.recommendations import ranker
from models_ml.recommendations.history import COLUMNS, History
from models_ml.recommendations.scorers import CoPurchase, LinearAutoencoder, PersonalFrequency, Popularity, Scorer

FORMAT = 1
MODEL_FILE, RANKER_FILE = "model.json", "ranker.json"
SIMPLE: dict[str, Callable[[History], Scorer]] = {
    it.name: it for it in (Popularity, PersonalFrequency, CoPurchase, LinearAutoencoder)
}


@dataclass(frozen=True)
class Recommender:
    """A model that can be asked about any history.

    Attributes
    ----------
    name : str
        A key of `SIMPLE`, or that of the ranker.
    booster : Booster or None
        What the ranker has learnt.
    facts : dict
        What a reader of the file wants to know; plain JSON.
    """

    name: str
    booster: xgb.Booster | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def features(self) -> tuple[str, ...]:
        """Columns of the purchases that it reads."""
        return COLUMNS

    def scorer(self, known: History) -> Scorer:
        """Return the model, fitted on what is known."""
        return SIMPLE[self.name](known) if self.booster is None else ranker.Ranker(known, self.booster)

    def save(self, folder: Path) -> None:
        """Write plain files: JSON, and XGBoost's own format for the ranker."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, "name": self.name, "facts": self.facts}
        (folder / MODEL_FILE).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        if self.booster is not None:
            (folder / RANKER_FILE).write_bytes(bytes(self.booster.save_raw("json")))

    @classmethod
    def load(cls, folder: Path, threads: int = 2) -> Recommender:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            When the files were written by another version of this format.
        """
        content = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"model files of format {content['format']}; this version reads format {FORMAT}")
        booster = None
        if (folder / RANKER_FILE).is_file():
            booster = xgb.Booster({"nthread": threads})
            booster.load_model(bytearray((folder / RANKER_FILE).read_bytes()))
        elif content["name"] not in SIMPLE:
            raise ValueError(f"{RANKER_FILE} is missing")
        return cls(content["name"], booster, content["facts"])
