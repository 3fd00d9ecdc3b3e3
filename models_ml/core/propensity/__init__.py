"""Models of whether something happens to a customer within a horizon: how any of them is fitted, tuned and judged."""
