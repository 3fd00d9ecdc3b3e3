"""A light recurrent network: a fixed random reservoir with a ridge read-out (echo state network).

Jaeger (2001), "The echo state approach to analysing and training recurrent neural networks", GMD Report 148. Only the
read-out is fitted, in closed form, so that it trains in a moment and gives the same numbers each time.
"""

from __future__ import annotations

import numpy as np

from models_ml.sales_forecast.config import SEED

UNITS = 60
SPECTRAL_RADIUS = 0.9  # below 1: the past fades, whatever the input
LEAK = 0.5
RIDGE = 1.0


class Reservoir:
    """Regressor that reads each row of inputs as a sequence, oldest first."""

    def __init__(self) -> None:
        generator = np.random.default_rng(SEED)
        recurrent = generator.normal(size=(UNITS, UNITS))
        self._recurrent = recurrent * (SPECTRAL_RADIUS / np.abs(np.linalg.eigvals(recurrent)).max())
        self._input = generator.uniform(-1, 1, size=(UNITS, 2))
        self._centre = self._spread = self._weights = np.empty(0)

    def fit(self, inputs: np.ndarray, target: np.ndarray) -> Reservoir:
        """Fit the read-out on (n, f) `inputs` and the (n,) `target`."""
        self._centre, self._spread = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-9)
        states = self._states(inputs)
        penalty = RIDGE * np.eye(states.shape[1])
        penalty[0, 0] = 0  # the level is not shrunk
        self._weights = np.linalg.solve(states.T @ states + penalty, states.T @ target)
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return the (n,) predictions."""
        return self._states(inputs) @ self._weights

    def _states(self, inputs: np.ndarray) -> np.ndarray:
        """Return (n, 1 + f + units): one, the inputs, and the reservoir's state after the last of them."""
        scaled = (inputs - self._centre) / self._spread
        state = np.zeros((len(inputs), UNITS))
        for column in scaled.T:
            drive = np.column_stack([np.ones(len(column)), column]) @ self._input.T
            state = (1 - LEAK) * state + LEAK * np.tanh(drive + state @ self._recurrent.T)
        return np.column_stack([np.ones(len(scaled)), scaled, state])
