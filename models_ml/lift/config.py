"""What an effect needs to be stated, and why these numbers."""

from __future__ import annotations

# Of the interval; the level on which docs and benchmarks judge its coverage.
CONFIDENCE = 0.95

# Entities on either side, after weighting: with fewer, one large customer decides the figure.
LEAST_ENTITIES = 50
# Decisions, of both sides, whose outcome is not that of most: with fewer (three buyers among a thousand) the spread is a guess.
LEAST_DIFFERENT = 20

# Both sides are given one spread until their variances differ by so many standard deviations of what chance does to them, given
# how heavy the tail is.
MOST_VARIANCE_DEVIATIONS = 2.0

# Arms, and what is done in them.
TREATMENT, CONTROL, BUSINESS_AS_USUAL = "treatment", "control", "business_as_usual"
DO_NOTHING = "do_nothing"
# Choices that follow from a rule about the customer (a birthday, a long silence, a complaint), not from a lot: whoever has the
# same reason gets the same, so nobody is there to compare them with.
BY_RULE = ("greeting", "win_back", "care")
# The action that stands for everything that an arm's agent does.
ALL = "all"

REVENUE, PURCHASE_SHARE, REVENUE_LESS_COST = "revenue", "purchase_share", "revenue_less_cost"
# Revenue so many days before the first decision (arms) or this one (options) is what outcomes are adjusted for.
BEFORE_DAYS = (365, 90)
