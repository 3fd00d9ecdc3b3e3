"""Customers with favourite products who buy again and again, as lines of orders, and the marts that hold them."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

FIRST_DAY = date(2023, 1, 1)


def lines(last_day: date, customers: int = 300, products: int = 40, seed: int = 1) -> pd.DataFrame:
    """Return customer_id, product_id and bought_on: three favourites each, and the best sellers now and then."""
    rng = np.random.default_rng(seed)
    days = (date(2024, 12, 31) - FIRST_DAY).days
    count = rng.poisson(14, customers) + 2
    customer = np.repeat(np.arange(customers), count)
    favourite = (customer * 7 + rng.integers(0, 3, len(customer)) * 11) % products
    best_seller = rng.geometric(0.2, len(customer)) % products
    product = np.where(rng.random(len(customer)) < 0.7, favourite, best_seller)
    rows = pd.DataFrame(
        {
            "customer_id": np.char.add("c", customer.astype(str)).astype(object),
            "product_id": np.char.add("p", product.astype(str)).astype(object),
            "bought_on": pd.Timestamp(FIRST_DAY) + pd.to_timedelta(rng.integers(0, days, len(customer)), unit="D"),
        }
    )
    return rows[rows["bought_on"] < pd.Timestamp(last_day + timedelta(days=1))].reset_index(drop=True)


def fill_marts(rows: pd.DataFrame, inactive: tuple[str, ...] = ()) -> None:
    """Write `rows` as the marts of orders and their lines, and the products as the catalogue."""
    from crm_agents import lake

    gone = ", ".join(f"'{product}'" for product in inactive) or "''"
    with lake.connect() as connection:
        connection.register("bought", rows)
        connection.execute(
            "create or replace table marts.fct_order_items as select customer_id, product_id, bought_on::date as ordered_on, "
            "true as is_purchase_line, true as is_product, false as is_duplicate from bought"
        )
        connection.execute(
            "create or replace table marts.fct_orders as select row_number() over ()::varchar as order_id, customer_id, "
            "bought_on::date as ordered_on, true as is_purchase, 20::decimal(38, 4) as revenue_amount from bought"
        )
        connection.execute(
            "create or replace table marts.dim_products as select distinct product_id, 'Product ' || product_id as name, "
            f"product_id not in ({gone}) as is_active, true as is_product from bought"
        )
