"""What the bandit is fitted with and what decides between policies, and why these numbers."""

from __future__ import annotations

ENTITY = "entity_id"
DO_NOTHING = "do_nothing"
CONTROL, TREATMENT = "control", "treatment"

# The least share of entities that is always left alone, so that what the agent brings can be measured.
LEAST_CONTROL_SHARE = 0.10
# What is hashed: 2 points more, so that with 2,000 entities chance takes the share below the least only once in 400 companies.
CONTROL_SHARE = 0.12
CONTROL_SALT = "next best action: control arm"

# A floor under the probability of every allowed option. Weights of off-policy estimates stay below 1 / floor.
EXPLORATION = 0.02

# Ridge priors in units of decisions: an option counts as a contact like the others until about so many decisions say otherwise.
# On simulated companies (seed 2, used for nothing else) 1,000 brought 8 % more than 300 within 90 days, 3,000 as much.
PRIOR_DECISIONS = 1_000.0
# Of the reward without a contact: every decision to do nothing teaches it, so it needs next to no prior.
PRIOR_DECISIONS_NOTHING = 1.0
# What rewards are measured in where no column says how much is usual for an entity, in reward units.
USUAL_REWARD = 100.0
# Where a column says it, an outcome counts for at most so many times the usual reward: one huge order is luck, not an effect.
MOST_USUAL_REWARDS = 5.0
# The spread of rewards before any is known, in usual rewards, and how many decisions that guess is worth.
START_SPREAD, START_SPREAD_DECISIONS = 1.0, 2.0

CONFIDENCE = 0.95
# Fewer decisions than this, after weighting, and the normal interval around an estimate means nothing.
LEAST_EFFECTIVE_DECISIONS = 200.0
# Reward means for the doubly robust estimate are fitted on the other entities.
FOLDS = 3
SEED = 20_260_101
