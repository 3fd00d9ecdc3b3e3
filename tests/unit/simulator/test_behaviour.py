"""The hidden truth shows in the data: what agents are to find can be found, and as large as it truly is."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pytest

from crm_agents.simulator import Drift

WINDOW = """join data.campaigns k using (campaign_id)
    left join orders_by_day o on o.customer_id = m.customer_id and o.day >= k.starts_on and o.day < k.starts_on + 14
    where k.starts_on < date '2026-06-17'"""  # campaigns whose 14 days are over


@pytest.fixture(scope="module")
def campaigns(company):
    company.connection.execute(
        "create or replace table orders_by_day as select customer_id, try_cast(ordered_at as timestamp)::date as day, "
        "count(*) as n from orders group by all"
    )
    return company


def correlation(company, sql: str) -> tuple[float, int]:
    pairs = np.array(company.rows(sql), dtype=float)
    return float(np.corrcoef(pairs.T)[0, 1]), len(pairs)


def test_hidden_purchase_rates_show_in_observed_ones(company) -> None:
    found, count = correlation(
        company,
        """with seen as (
            select customer_id, purchases_a_year, orders / greatest(
                least(coalesce(faded_on, date '2026-06-30'), date '2026-06-30') - changed_at::date, 1) * 365.25 as observed,
                least(coalesce(faded_on, date '2026-06-30'), date '2026-06-30') - changed_at::date as active_days
            from truth.customers join customers using (customer_id))
        select purchases_a_year, observed from seen where active_days > 180""",
    )
    assert count > 2000
    assert found > 0.7


def test_churned_customers_order_no_more_and_the_rest_do(company) -> None:
    late, left = company.rows(
        """select count(*) filter (moment::date > churned_on), count(distinct customer_id) filter (churned_on is not null)
        from truth.customers join purchases using (customer_id) where opportunity_id is null"""
    )[0]
    assert late == 0
    assert left > 1500
    gone, fading_then_gone = company.rows(
        "select count(churned_on), count(*) filter (churned_on - faded_on between 25 and 80) from truth.customers"
    )[0]
    assert gone == fading_then_gone
    hazard, _ = correlation(
        company,
        "select churns_a_year, (churned_on is not null)::int from truth.customers join customers using (customer_id)",
    )
    assert hazard > 0.25


def test_web_visits_come_before_orders(company) -> None:
    with_visit, without = company.rows(
        """with days as (select unnest(generate_series(date '2024-07-01', date '2026-05-01', interval 90 day))::date as day),
            people as (select day, customer_id from days, customers where changed_at < day),
            seen as (select day, customer_id,
                exists (from interactions i where i.customer_id = p.customer_id and i.kind = 'visit'
                    and i.occurred_at >= day - interval 7 day and i.occurred_at < day) as visited,
                exists (from purchases o where o.customer_id = p.customer_id and o.moment >= day
                    and o.moment < day + interval 14 day) as bought
                from people p)
        select avg(bought::int) filter (visited), avg(bought::int) filter (not visited) from seen"""
    )[0]
    assert with_visit > 4 * without


def test_those_who_lose_interest_stop_opening_mails(company) -> None:
    active, fading = company.rows(
        """with sent as (
            select i.*, t.faded_on is not null and occurred_at::date between t.faded_on and t.churned_on as is_fading,
                t.faded_on is null or occurred_at::date < t.faded_on as is_active,
            from interactions i join truth.customers t using (customer_id)
            where channel = 'email' and kind in ('message', 'open'))
        select count(*) filter (kind = 'open' and is_active) / count(*) filter (kind = 'message' and is_active),
            count(*) filter (kind = 'open' and is_fading) / count(*) filter (kind = 'message' and is_fading) from sent"""
    )[0]
    assert fading < 0.6 * active


def test_late_deliveries_and_tickets_cost_later_purchases(company) -> None:
    fine, late = company.rows(
        """with marked as (
            select customer_id, moment, delivered_at > promised_at as is_late, lead(moment) over (
                partition by customer_id order by moment) as following
            from purchases where delivered_at is not null and channel <> 'store')
        select avg((following < moment + interval 120 day)::int) filter (not is_late),
            avg((coalesce(following, '2099-01-01') < moment + interval 120 day)::int) filter (is_late)
        from (select * replace (coalesce(following, '2099-01-01') as following) from marked)
        where moment < '2026-03-01'"""
    )[0]
    assert late < fine - 0.04


def test_campaign_effect_is_found_within_its_interval(campaigns) -> None:
    rows = campaigns.rows(
        f"""with outcomes as (
            select campaign_id, m.customer_id, arm, coalesce(sum(o.n), 0) as orders from data.campaign_members m {WINDOW}
            group by all)
        select expected_effect > 0 as works, sum(weight * (treated_mean - control_mean)) / sum(weight),
            sqrt(sum(weight * weight * variance)) / sum(weight), sum(weight * expected_effect) / sum(weight)
        from (
            select campaign_id, count(*) as weight, avg(orders) filter (arm = 'treatment') as treated_mean,
                avg(orders) filter (arm = 'control') as control_mean,
                var_samp(orders) filter (arm = 'treatment') / count(*) filter (arm = 'treatment')
                + var_samp(orders) filter (arm = 'control') / count(*) filter (arm = 'control') as variance
            from outcomes group by campaign_id)
        join truth.campaigns using (campaign_id) group by works order by works"""
    )
    (_, sham, sham_error, truly_nothing), (_, effect, error, truly) = rows
    assert truly_nothing == 0
    assert abs(sham) < 2.58 * sham_error  # nothing to find where nothing was done
    assert 0.02 < truly < 0.1
    assert abs(effect - truly) < 2.58 * error
    assert effect > 2.58 * error


def test_arms_are_drawn_by_lot(campaigns) -> None:
    before = campaigns.rows(
        """select arm, avg(n), count(*) from (
            select m.campaign_id, m.customer_id, arm, count(o.day) as n from data.campaign_members m
            join data.campaigns k using (campaign_id)
            left join orders_by_day o on o.customer_id = m.customer_id and o.day < k.starts_on and o.day >= k.starts_on - 90
            group by all) group by arm order by arm"""
    )
    (_, control, n_control), (_, treated, n_treated) = before
    assert abs(control - treated) < 3 * math.sqrt(1.6 / n_control + 1.6 / n_treated)
    assert (
        campaigns.value("select count(*) from data.campaign_members where arm = 'control' and sent_at is not null") == 0
    )
    assert (
        campaigns.value("select count(*) from data.campaign_members where arm = 'treatment' and sent_at is null") == 0
    )


def test_who_responds_to_what_differs(company) -> None:
    best = company.rows(
        """select avg(greatest(response_discount, response_new_products, response_loyalty_bonus, response_call)),
            greatest(avg(response_discount), avg(response_new_products), avg(response_loyalty_bonus), avg(response_call))
        from truth.customers"""
    )[0]
    assert best[0] > 1.3 * best[1]  # choosing for each customer beats the best action for all


def test_calling_after_an_offer_wins_more_and_by_the_true_amount(company) -> None:
    rows = company.rows(
        """with offers as (select opportunity_id, entered_at from data.opportunity_stages where stage = 'proposal'),
            deals as (select o.opportunity_id, (o.stage = 'won')::int as won, exists (
                from data.activities a where a.opportunity_id = o.opportunity_id and a.kind = 'call'
                and a.done_at >= f.entered_at and a.done_at < f.entered_at + interval 2 day) as called
                from data.opportunities o join offers f using (opportunity_id) where o.closed_at is not null)
        select called, avg(won), count(*), avg(win_probability_given_offer), bool_and(called = is_called_after_offer)
        from deals join truth.opportunities using (opportunity_id) group by called order by called"""
    )
    (_, without, n_without, true_without, same), (_, called, n_called, true_called, same_too) = rows
    assert same
    assert same_too
    error = math.sqrt(without * (1 - without) / n_without + called * (1 - called) / n_called)
    assert called - without > 2.58 * error
    assert abs((called - without) - (true_called - true_without)) < 2.58 * error


def test_skilled_reps_win_more(company) -> None:
    found, reps = correlation(
        company,
        """select skill, avg((stage = 'won')::int) from data.opportunities join truth.reps on rep_id = owner_rep_id
        where closed_at is not null group by rep_id, skill""",
    )
    assert reps == 20
    assert found > 0.6


def test_leads_convert_as_their_attributes_say(company) -> None:
    closed, converted, expected = company.rows(
        """select count(*), avg((status = 'converted')::int), avg(conversion_probability)
        from leads join truth.leads using (lead_id) where try_cast(created_at as timestamp) < '2026-01-01'"""
    )[0]
    assert closed > 1000
    assert abs(converted - expected) < 0.03
    by_budget = dict(
        company.rows(
            "select attributes->>'budget', avg((status = 'converted')::int) from leads "
            "where status in ('converted', 'lost') group by 1"
        )
    )
    assert by_budget["approved"] > 1.5 * by_budget["none"]


def test_products_of_a_bundle_are_bought_together(company) -> None:
    lift = company.rows(
        """with lines as (select distinct order_id, product_id from order_items where quantity > 0),
            orders as (select count(distinct order_id) as total from lines),
            sold as (select product_id, count(*) as n from lines group by 1),
            pairs as (select a.product_id as a, b.product_id as b, count(*) as together from lines a
                join lines b on a.order_id = b.order_id and a.product_id < b.product_id group by all)
        select together / (x.n * y.n / total) from pairs, orders, sold x, sold y
        where x.product_id = a and y.product_id = b order by together desc limit 20"""
    )
    assert sum(value > 2 for (value,) in lift) >= 10


def test_customers_buy_their_favourites_again(company) -> None:
    again = company.value(
        """with bought as (select p.customer_id, i.product_id, count(distinct order_id) as orders
            from purchases p join order_items i using (order_id) where quantity > 0 group by all)
        select sum(orders) filter (orders > 1) / sum(orders) from bought"""
    )
    assert again > 0.3


def test_demand_has_season_week_and_growth(company) -> None:
    november_december, april_may = company.rows(
        """select count(*) filter (month(moment) in (11, 12)) / count(distinct moment::date) filter (month(moment) in (11, 12)),
            count(*) filter (month(moment) in (9, 10)) / count(distinct moment::date) filter (month(moment) in (9, 10))
        from purchases where opportunity_id is null and moment >= '2024-07-01'"""
    )[0]
    assert november_december > 1.1 * april_may
    persons, firms = company.rows(
        """select avg((isodow(moment) >= 6)::int) filter (kind = 'person'),
            avg((isodow(moment) >= 6)::int) filter (kind = 'organisation') from purchases join customers using (customer_id)"""
    )[0]
    assert persons > 2 / 7 + 0.03
    assert firms < 0.2
    years = [
        row[0]
        for row in company.rows("select count(*) from purchases group by year(moment - interval 181 day) order by 1")
    ]
    assert years == sorted(years)


def test_tickets_are_told_apart_by_their_words(company) -> None:
    texts, different = company.rows("select count(body), count(distinct body) from tickets")[0]
    assert different > 0.9 * texts
    assert company.value("select count(*) from tickets where body like '%{%'") == 0
    told = company.rows(
        "select category, avg(regexp_matches(body, 'invoice|charged|refund')::int) from tickets group by 1"
    )
    shares = dict(told)
    assert shares["billing"] > 0.5 > 5 * max(share for category, share in shares.items() if category != "billing")


def test_drift_changes_prices_channels_and_demand_from_its_day_on(simulate) -> None:
    starts = date(2026, 3, 1)
    drift = Drift(starts, price_factor=1.4, channel_gone="store", purchase_rate_factor=0.4)
    still, drifted = simulate("still", customers=1500), simulate("drifted", customers=1500, drift=drift)
    for later in (False, True):
        when = f"moment {'>=' if later else '<'} timestamp '{starts + timedelta(days=25 * later)}'"
        sql = f"""select count(*)::double, avg((channel = 'store')::int),
            (select median(try_cast(unit_price as double)) from order_items
             semi join (from purchases where {when}) using (order_id) where discount = 0 and product_id < 'P00100')
            from purchases where {when}"""
        (orders, stores, price), (orders_then, stores_then, price_then) = still.rows(sql)[0], drifted.rows(sql)[0]
        assert stores > 0.15
        if later:
            assert orders_then < 0.75 * orders
            assert stores_then == 0
            assert 1.25 < price_then / price < 1.55
        else:
            assert (orders_then, stores_then, price_then) == pytest.approx((orders, stores, price), rel=0.05)


def test_purchases_can_be_predicted_better_with_behaviour_than_with_rfm_alone(company) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import brier_score_loss
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from xgboost import XGBClassifier

    train, test = (_features(company, day) for day in (date(2026, 3, 31), date(2026, 5, 31)))
    assert 0.1 < test["label"].mean() < 0.4
    rfm = ["log_recency", "log_frequency", "log_value"]
    behaviour = [column for column in test.columns if column not in ("customer_id", "label")]
    logistic = make_pipeline(StandardScaler(), LogisticRegression()).fit(train[rfm], train["label"])
    trees = XGBClassifier(
        n_estimators=150, max_depth=3, learning_rate=0.06, min_child_weight=10, n_jobs=2, random_state=0
    )
    trees.fit(train[behaviour], train["label"])
    baseline = brier_score_loss(test["label"], logistic.predict_proba(test[rfm])[:, 1])
    ours = brier_score_loss(test["label"], trees.predict_proba(test[behaviour])[:, 1])
    assert 1 - ours / baseline > 0.05


def _features(company, day: date):
    """Return features of all who bought up to `day`, and whether they buy in the 30 days after it."""
    return company.connection.execute(
        f"""with cut as (select timestamp '{day + timedelta(days=1)}' as t),
            bought as (
                select customer_id, ln(1 + date_diff('day', max(moment), t)) as log_recency, ln(count(*)) as log_frequency,
                    ln(1 + sum(value)) as log_value, date_diff('day', max(moment), t) as recency, count(*) as orders,
                    date_diff('day', min(moment), max(moment)) / greatest(count(*) - 1, 1) as gap,
                    count(*) filter (moment >= t - interval 90 day) as orders_90d
                from purchases, cut, (select order_id, sum(quantity * try_cast(unit_price as double)) as value
                    from order_items where quantity > 0 group by 1) v
                where v.order_id = purchases.order_id and moment < t group by customer_id, t),
            seen as (
                select customer_id, count(*) filter (kind = 'visit' and occurred_at >= t - interval 7 day) as visits_7d,
                    count(*) filter (kind = 'visit' and occurred_at >= t - interval 30 day) as visits_30d,
                    count(*) filter (kind = 'open' and occurred_at >= t - interval 90 day) as opened_90d,
                    date_diff('day', max(occurred_at), t) as days_since
                from interactions, cut where occurred_at < t group by customer_id, t)
        select *, exists (from purchases p where p.customer_id = bought.customer_id and p.moment >= t
            and p.moment < t + interval 30 day)::int as label
        from bought left join seen using (customer_id), cut order by customer_id"""
    ).df().drop(columns="t")  # fmt: skip
