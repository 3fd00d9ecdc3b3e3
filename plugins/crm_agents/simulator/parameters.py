"""Every parameter of the simulated company, with the reason for its value beside it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, timedelta

from crm_agents.errors import CrmAgentsError

FIRST_SENSIBLE_DAY = date(1990, 1, 1)


@dataclass(frozen=True)
class Drift:
    """A change of the world from one day on, so that drift alarms can be tested."""

    starts_on: date
    price_factor: float = 1.0  # 1.4: every price rises by 40 %
    channel_gone: str | None = None  # "store": orders of that channel move to the web
    purchase_rate_factor: float = 1.0  # 0.5: the same customers buy half as often (labels shift)

    def __post_init__(self) -> None:
        """Check that the change is possible."""
        if self.channel_gone not in (None, "store", "phone"):
            raise CrmAgentsError(f"Channel {self.channel_gone!r} cannot be closed.", "Close 'store' or 'phone'.")
        if self.price_factor <= 0 or self.purchase_rate_factor < 0:
            raise CrmAgentsError("A drift cannot make prices or purchase rates negative.", "Use factors above 0.")


@dataclass(frozen=True)
class Parameters:
    """What the company is like. Rates are per day, hazards per year, shares between 0 and 1."""

    # -- size and time -------------------------------------------------------------------------------------------------
    customers: int = 5000
    years: float = 3.0
    seed: int = 7
    end_on: date = date(2026, 6, 30)
    chunk_customers: int = (
        50_000  # arrays of a chunk stay in the processor's cache; memory does not grow with customers
    )
    drift: Drift | None = None

    # -- customers -----------------------------------------------------------------------------------------------------
    organisation_share: float = 0.18  # mostly consumers, yet enough firms for some 300 deals a year
    founding_share: float = 0.22  # came in the first two months, so that early cut-offs have customers to learn from
    growth_of_arrivals: float = 0.8  # arrivals a day at the end are 1.8 times those at the start
    purchases_a_year: float = 8.2  # appetite while active; 5 to 6 orders a year after pauses, cancellations, churn
    purchase_rate_shape: float = 1.3  # gamma heterogeneity; published BG/NBD fits lie between 0.25 and 2
    regular_share: float = 0.5  # these buy at a beat (replenishment), the others at random times
    churns_a_year: float = 0.42  # half of the customers are lost after two years
    churn_rate_shape: float = 0.9  # gamma heterogeneity of the hazard: some leave soon, some never
    dropout_after_purchase: float = 0.02  # BG/NBD's coin after each purchase
    fading_days: tuple[int, int] = (25, 80)  # between losing interest and leaving; mails and visits fall first
    fading_appetite: float = 0.3  # who loses interest still buys a little
    loyalty_share: float = 0.38  # members buy more and leave less, and the company can see who they are
    loyalty_appetite: float = 1.25
    loyalty_churn: float = 0.7

    # -- from interest to purchase -------------------------------------------------------------------------------------
    interest_becomes_purchase: float = 0.72  # the others look around and do not buy: visits are a signal, not a proof
    impulse_share: float = 0.12  # bought on the same day: no sign beforehand
    days_of_interest: float = 13.0  # mean time from first look to order: what makes web visits predict a purchase
    longest_interest: int = 45
    visits_in_interest: float = 0.13  # a day, times the customer's web affinity
    visits_otherwise: float = 0.005
    first_interest_share: float = 0.65  # newcomers who came because they want something now

    # -- orders --------------------------------------------------------------------------------------------------------
    products: int | None = None  # default: one for 20 customers, between 200 and 2,000
    more_lines: float = 2.4  # mean number of lines beyond the first
    companion_share: float = 0.35  # of the further lines come from the first product's bundle: co-purchase structure
    favourite_share: float = 0.6  # of lines of a customer who dislikes novelty are repeats
    cancelled_share: float = 0.03
    return_share: float = 0.03  # of delivered lines
    late_share: float = 0.06  # in the high season, and in the region with the weak carrier, more
    late_share_high_season: float = 0.16
    weak_region_late: float = 0.07
    price_rise_a_year: float = 0.03
    demand_growth_a_year: float = 0.06

    # -- service -------------------------------------------------------------------------------------------------------
    grievance_of_lateness: float = 0.7  # a grievance lowers appetite to 1 / (1 + g) and raises the churn hazard
    grievance_decay: float = 0.985  # a day: half is forgotten after six weeks
    churn_by_grievance: float = 6.0  # hazard x (1 + 6 g)
    ticket_share: float = 0.02  # of deliveries without any trouble
    ticket_when_late: float = 0.35
    ticket_when_defect: float = 0.9
    defect_share: float = 0.02
    tickets_a_day: float = 0.0003  # per customer, about account and bills, for no visible reason

    # -- mails, campaigns, calls ---------------------------------------------------------------------------------------
    email_consent: float = 0.72
    newsletter_every: int = 45  # days
    mail_open_rate: float = 0.45  # times the customer's mail affinity (mean 1)
    mail_click_rate: float = 0.22  # of opened
    unsubscribe_rate: float = 0.004
    mail_sunset_days: int = 400  # nobody who showed no sign for this long is mailed: the list would rot
    click_starts_interest: float = 0.15
    campaign_every: int = 21
    campaign_first_day: int = 60
    campaign_share: float = 0.3  # of those who may be contacted
    campaign_treated: tuple[float, ...] = (0.5, 0.7, 0.5, 0.8)  # shares of the treatment arm, taken in turn
    campaign_effect: tuple[float, float] = (
        0.03,
        0.09,
    )  # extra orders within 14 days per treated customer of mean response
    campaign_without_effect: int = 6  # each sixth does nothing: lift reports must find nothing there
    outcome_days: int = 14
    calls_a_year: float = 3.0  # outbound, per organisation
    call_starts_interest: float = 0.12

    # -- leads and deals -----------------------------------------------------------------------------------------------
    leads_per_customer: float = 0.35
    customers_per_rep: int = 250  # 20 reps in the default company: some 100 deals each, enough to see skill
    rep_skill_sd: float = 0.6  # log-odds
    deals_a_year: float = 1.9  # per organisation
    call_after_offer_effect: float = 1.0  # log-odds of winning when called within two days of the offer (causal)
    call_after_offer_days: float = 2.0

    # -- dirt: shares of rows, at least one row of each kind in every chunk ------------------------------------------------
    duplicate_customers: float = 0.01  # the same person under a second id
    repeated_rows: float = 0.001  # the same row exported twice, same key
    missing_email: float = 0.03
    malformed_email: float = 0.008
    missing_phone: float = 0.08
    malformed_phone: float = 0.015
    missing_date: float = 0.003
    other_date_formats: float = 0.01  # 31.12.2025 23:59 and 12/31/2025 11:59 PM
    broken_dates: float = 0.0005
    future_dates: float = 0.0005
    unknown_customers: float = 0.001
    prices_as_text: float = 0.004  # "12,50 EUR"
    broken_prices: float = 0.0003
    zero_prices: float = 0.001
    mistyped_quantities: float = 0.0005  # negative, without a return
    missing_texts: float = 0.01

    def __post_init__(self) -> None:
        """Check what a user can get wrong."""
        if self.customers < 1:
            raise CrmAgentsError(f"A company of {self.customers} customers cannot be simulated.", "Ask for 1 or more.")
        if not 0.25 <= self.years <= 20:
            raise CrmAgentsError(f"{self.years} years cannot be simulated.", "Ask for 0.25 to 20 years.")
        if self.first_on < FIRST_SENSIBLE_DAY:
            raise CrmAgentsError(
                f"The simulated history would begin on {self.first_on}.", f"It must begin after {FIRST_SENSIBLE_DAY}."
            )
        if self.seed < 0:
            raise CrmAgentsError(f"The seed {self.seed} is negative.", "Use a whole number from 0 on.")
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name.endswith("_share") and not 0 <= value <= 1:
                raise CrmAgentsError(f"{item.name} is {value}.", "A share lies between 0 and 1.")

    @property
    def days(self) -> int:
        """Length of the history in days."""
        return round(self.years * 365.25)

    @property
    def first_on(self) -> date:
        """The first day; day numbers count from it."""
        return self.end_on - timedelta(days=self.days - 1)

    @property
    def chunks(self) -> int:
        """Number of chunks of customers that are simulated one after the other."""
        return -(-self.customers // self.chunk_customers)

    @property
    def product_count(self) -> int:
        """Number of products in the catalogue."""
        return self.products or min(2000, max(200, self.customers // 20))

    @property
    def rep_count(self) -> int:
        """Number of sales reps."""
        return min(600, max(12, self.customers // self.customers_per_rep))
