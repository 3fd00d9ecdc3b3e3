"""The same person under two ids: how most CRMs come to have duplicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_agents.simulator import columns
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.orders import Orders
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.population import Traits

SHARE_OF_LATER_ORDERS = 0.5  # that stand under the second id
SAME_PHONE_SHARE = 0.7


@dataclass(frozen=True)
class Duplicates:
    """Second ids of a chunk's persons (arrays over duplicates)."""

    original: np.ndarray  # number of the customer within the chunk
    created: np.ndarray  # seconds since 1970

    def __len__(self) -> int:
        """Return the number of second ids."""
        return len(self.original)


def choose(traits: Traits, parameters: Parameters, rng: np.random.Generator) -> Duplicates:
    """Choose who registers a second time, and when."""
    end = (columns.epoch_day(parameters.end_on) + 1) * DAY
    persons = np.flatnonzero(~traits.is_organisation & (traits.created < end - 20 * DAY))
    count = min(len(persons), int(np.ceil(len(traits) * parameters.duplicate_customers)))
    original = np.sort(rng.choice(persons, count, replace=False)) if count else np.empty(0, dtype=np.int64)
    first = traits.created[original] + 10 * DAY
    return Duplicates(original, first + (rng.random(count) * (end - DAY - first)).astype(np.int64))


def shown_customers(orders: Orders, duplicates: Duplicates, customers: int, rng: np.random.Generator) -> np.ndarray:
    """Return under which of the chunk's ids (duplicates behind the customers) each order stands."""
    second_id = np.full(customers, -1)
    second_id[duplicates.original] = np.arange(len(duplicates))
    duplicate = second_id[orders.customer]
    has_second = duplicate >= 0
    has_second[has_second] = orders.ordered[has_second] > duplicates.created[duplicate[has_second]]
    has_second &= rng.random(len(orders)) < SHARE_OF_LATER_ORDERS
    return np.where(has_second, customers + duplicate, orders.customer)


def duplicate_rows(customers: pa.Table, traits: Traits, duplicates: Duplicates, rng: np.random.Generator) -> pa.Table:
    """Return the export rows of the second ids: name and mail slightly different, the rest the same."""
    count = len(duplicates)
    rows = customers.take(pa.array(duplicates.original))
    name, mail = rows["name"].combine_chunks(), rows["email"].combine_chunks()
    domain = columns.pick(("@example.org", "@example.net"), rng.integers(2, size=count))
    plain = pc.replace_substring_regex(mail, r"\d*@.*$", "")
    variants = [
        (pc.replace_substring_regex(name, r"^(\S+) (.+)$", r"\2, \1"), mail),  # Weber, Anna
        (pc.replace_substring_regex(name, r"^(\S)\S* (.+)$", r"\1. \2"), columns.join(plain, domain)),  # A. Weber
        (pc.replace_substring_regex(name, r"^(\S+ \S)\S", r"\1"), mail),  # a letter lost: Anna Wber
        (pc.utf8_upper(name), columns.join(pc.replace_substring(plain, ".", ""), domain)),
    ]
    which = rng.integers(len(variants), size=count)
    for number, (other_name, other_mail) in enumerate(variants):
        mask = pa.array(which == number)
        name, mail = pc.if_else(mask, other_name, name), pc.if_else(mask, other_mail, mail)
    same_phone = pa.array(rng.random(count) < SAME_PHONE_SHARE)
    changed = {
        "customer_id": columns.ids("C", traits.first_number + len(traits) + np.arange(count)),
        "name": name,
        "email": mail,
        "phone": pc.if_else(same_phone, rows["phone"].combine_chunks(), None),
        "birth_on": pa.nulls(count, pa.string()),
        "created_at": columns.text_times(duplicates.created),
        "changed_at": columns.times(duplicates.created).cast(rows["changed_at"].type),
    }
    return pa.table({name: changed.get(name, rows[name]) for name in rows.column_names})


def truth_table(traits: Traits, duplicates: Duplicates) -> pa.Table:
    """Return which customer each second id truly is."""
    return pa.table(
        {
            "customer_id": columns.ids("C", traits.first_number + len(traits) + np.arange(len(duplicates))),
            "true_customer_id": columns.ids("C", traits.first_number + duplicates.original),
        }
    )
