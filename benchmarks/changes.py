"""What the benchmarks have in common: a change in the CRM that makes customers' scores stale."""

from __future__ import annotations

from datetime import UTC, datetime

import yaml

from crm_agents import postgres
from crm_agents.settings import load_settings

ASK_NOBODY = dict.fromkeys(("approval_above_share", "approval_above_move", "approval_above_deleted"))


def change(customers: int, mark: str) -> str:
    """Give `customers` scored customers a new order of one line; return the prefix of the new order ids."""
    prefix = f"bench-{datetime.now(UTC):%Y%m%d%H%M%S%f}-{mark}"
    with postgres.connect() as crm:
        crm.execute(
            "create temp table chosen on commit drop as select entity_id, row_number() over (order by md5(entity_id || %s)) n "
            "from crm_ai.scores where status = 'scored' and model = 'purchase_propensity' order by 2 limit %s",
            (prefix, customers),
        )
        crm.execute(
            "insert into crm.orders (order_id, customer_id, ordered_at, status, currency, updated_at) select %s || '-' || n, "
            "entity_id, (select max(as_of) from crm_ai.scores) + time '12:00', 'completed', 'EUR', clock_timestamp() from chosen",
            (prefix,),
        )
        crm.execute(
            "insert into crm.order_items (order_id, line_no, product_id, quantity, unit_price, discount, updated_at) "
            "select %s || '-' || n, 1, (select min(product_id) from crm.products), 1, 25, 0, clock_timestamp() from chosen",
            (prefix,),
        )
    return prefix


def ask_nobody() -> bool:
    """Switch off, in the loaded company, the limits above which a run waits for a person: a benchmark moves every score.

    Returns
    -------
    bool
        Whether they were on: the next run then judges everybody, as after any change of the settings.
    """
    path = load_settings().company_dir / "company.yml"
    company = yaml.safe_load(path.read_text(encoding="utf-8"))
    limits = company.get("write_back", {})
    if limits.items() >= ASK_NOBODY.items():
        return False
    company["write_back"] = {**limits, **ASK_NOBODY}
    path.write_text(yaml.safe_dump(company, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return True
