"""Probability that a customer who has bought before buys again within the horizon."""
