"""Churn: which active customers will not buy within the coming window."""
