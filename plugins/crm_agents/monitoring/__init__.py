"""Watches what has been decided and predicted: outcomes, drift, alarms (docs/monitoring.md)."""
