"""Which contact is worth its cost for whom: a bandit over a company's options, and estimates of other policies from its log."""
