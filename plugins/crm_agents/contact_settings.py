"""The sections of a company's settings about contacts: what may be done for customers, and when they may be written to."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from crm_agents.company_settings import Section


class Action(Section):
    """Something that may be done for a customer, who may then buy because of it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Also the name of the message's template.")
    cost: float = Field(ge=0, description="Of doing it once, in the company's currency.")
    channel: Literal["email", "phone", "sms", "mail", "chat", "social"] = Field(
        "email", description="What the customer's consent is needed for."
    )
    purpose: str = Field("marketing", description="And for what purpose.")
    max_share: float = Field(
        1.0, gt=0, le=1, description="Share of the customers decided about who may get it at most."
    )


class Personalisation(Section):
    """What personalisation_agent may do, and within which limits (docs/personalisation.md)."""

    actions: list[Action] = Field(
        [
            Action(name="mail_discount", cost=2.0),
            Action(name="mail_new_products", cost=0.1),
            Action(name="loyalty_bonus", cost=1.0),
            Action(name="call", cost=4.5, channel="phone"),
        ],
        description="What may be done; doing nothing is always possible and costs nothing.",
    )
    policy: str = Field(
        "learnt",
        description="Who chooses: `learnt` from outcomes, `uniform` by lot, `do_nothing`, or always that action.",
    )
    max_contact_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Share of the customers decided about who are contacted at most, all actions together.",
    )
    outcome_days: int = Field(
        30,
        ge=7,
        le=365,
        description="Days whose revenue is a decision's outcome; each customer is decided about once in them.",
    )
    holdout_share: float = Field(
        0.12, ge=0.1, lt=0.5, description="Share of customers who are never contacted, to measure what contacts bring."
    )
    as_usual_share: float = Field(
        0.0,
        ge=0,
        lt=0.5,
        description="Share of customers whom the agent leaves to the company's habits, for the same reason.",
    )
    win_back_above: float = Field(
        0.5, ge=0, le=1, description="Probability of being lost from which a customer belongs on the win-back list."
    )
    win_back_share: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Share of the active customers on that list at most: those with most revenue at stake.",
    )
    care_after_days: int = Field(
        7, ge=1, description="Days after which an open ticket puts a customer on the care list."
    )
    rest_days: int = Field(90, ge=1, description="Days until a customer may be on the same list again.")
    approval_above_messages: int | None = Field(
        1000, ge=0, description="Messages and tasks of one run above which a person has to approve."
    )

    @field_validator("actions")
    @classmethod
    def _actions_differ(cls, actions: list[Action]) -> list[Action]:
        names = [action.name for action in actions]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two actions have the name {twice[0]!r}")
        return actions

    @model_validator(mode="after")
    def _policy_is_known(self) -> Personalisation:
        known = ["learnt", "uniform", "do_nothing", *(action.name for action in self.actions)]
        if self.policy not in known:
            raise ValueError(f"the policy {self.policy!r} is no action; there are {', '.join(known)}")
        return self


class Outreach(Section):
    """When a customer may be contacted, beyond their consent (docs/outbox.md)."""

    zone: str = Field(
        "UTC", description="The company's time zone (IANA): of its days, and of customers whose country is not known."
    )
    channels: list[Literal["email", "phone", "sms", "mail", "chat", "social"]] = Field(
        ["email", "phone", "sms", "mail"], description="Channels on which customers are contacted."
    )
    purposes: list[str] = Field(["marketing", "service"], description="Purposes for which they are contacted.")
    max_per_day: int = Field(1, ge=0, description="Contacts of one customer on one day, all channels together.")
    max_per_week: int = Field(3, ge=0, description="The same within any 7 days.")
    max_per_month: int = Field(8, ge=0, description="The same within any 30 days.")
    quiet_from_hour: int = Field(
        21, ge=0, le=23, description="Hour of the customer's day from which nobody is contacted any more."
    )
    quiet_until_hour: int = Field(
        8, ge=0, le=23, description="Hour from which they may be again; the same hour twice means no quiet hours."
    )
    soft_bounce_days: list[Annotated[int, Field(ge=0)]] = Field(
        [7, 14, 30, 180],
        min_length=1,
        description="Days of rest for a channel after the 1st, 2nd, ... soft bounce; the last is for all later ones.",
    )

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, OSError, ValueError) as error:
            raise ValueError("must be a time zone of the IANA database, as in Europe/Berlin") from error
        return zone
