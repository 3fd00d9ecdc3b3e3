"""The dirt of real exports, put in at known places: what is spoilt where, and what must become of it.

``kept`` rows are unusual but usable (another date format, a price with a currency sign, a missing mail); ``quarantined``
rows cannot be used (a date that is none, a second copy of a key).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_agents.simulator import columns
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.writer import source_file

KEPT, QUARANTINED = "kept", "quarantined"
Tables = dict[str, pa.Table]
GERMAN, AMERICAN = "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p"
YEARS_AHEAD = 36  # 2026 mistyped as 2062
BROKEN_DATES = ("31.02.2025 10:00", "soon", "0000-00-00 00:00:00", "2025-13-01 08:00:00")
BROKEN_PHONES = ("n/a", "0000000", "call after 6 pm", "+49", "12345")
BROKEN_PRICES = ("n/a", "on request", "12,5O EUR", "#REF!")


class Spoiler:
    """Spoils rows of one table, each row at most once, and keeps account of it."""

    def __init__(self, name: str, table: pa.Table, key: str, rng: np.random.Generator) -> None:
        self.name, self.table, self.key, self.rng = name, table, key, rng
        self._is_free = np.ones(table.num_rows, dtype=bool)
        self._rows: list[np.ndarray] = []
        self._kinds: list[tuple[str, str]] = []

    def pick(self, share: float, among: np.ndarray | None = None) -> np.ndarray:
        """Choose rows that are not spoilt yet: `share` of all rows, at least one where there is any."""
        count = self.table.num_rows
        allowed = self._is_free if among is None else self._is_free & among
        wanted = int(np.ceil(share * count))
        drawn = np.unique(self.rng.integers(max(count, 1), size=3 * wanted + 30)) if count else np.empty(0, np.int64)
        found = drawn[allowed[drawn]]
        if len(found) < wanted:
            found = np.flatnonzero(allowed)
        return np.sort(self.rng.permutation(found)[:wanted])

    def note(self, kind: str, treatment: str, rows: np.ndarray) -> None:
        """Record that `rows` have dirt of this kind."""
        self._is_free[rows] = False
        self._rows.append(rows)
        self._kinds.append((kind, treatment))

    def change(
        self, kind: str, treatment: str, column: str, share: float, how: Callable[[pa.Array], pa.Array],
        among: np.ndarray | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Replace the values of a column in some rows by what `how` makes of them; return the rows."""
        rows = self.pick(share, among)
        values = self.table[column].combine_chunks()
        mask = np.zeros(self.table.num_rows, dtype=bool)
        mask[rows] = True
        replaced = pc.replace_with_mask(values, pa.array(mask), how(values.take(pa.array(rows))).cast(values.type))
        self.table = self.table.set_column(self.table.schema.get_field_index(column), column, replaced)
        self.note(kind, treatment, rows)
        return rows

    def words(self, choices: tuple[str, ...]) -> Callable[[pa.Array], pa.Array]:
        """Return a change that writes one of `choices`."""
        return lambda values: columns.pick(choices, self.rng.integers(len(choices), size=len(values)))

    def repeat_rows(self, share: float) -> None:
        """Append copies of some rows, as an export that was run twice has them."""
        rows = self.pick(share)
        copies = self.table.num_rows + np.arange(len(rows))
        self._is_free = np.concatenate([self._is_free, np.ones(len(rows), dtype=bool)])
        self.table = pa.concat_tables([self.table, self.table.take(pa.array(rows))])
        self.note("repeated row", QUARANTINED, copies)

    def account(self) -> pa.Table:
        """Return one record for each spoilt row; `row` counts from 1 within this piece of the file."""
        rows = np.concatenate([*self._rows, np.empty(0, dtype=np.int64)])
        lengths = [len(part) for part in self._rows]
        kind = np.repeat(np.arange(len(lengths)), lengths)
        kinds = [kind for kind, _ in self._kinds] or [""]
        treatments = [treatment for _, treatment in self._kinds] or [""]
        return pa.table(
            {
                "table_name": pa.repeat(pa.scalar(self.name), len(rows)),
                "source_file": pa.repeat(pa.scalar(source_file(self.name)), len(rows)),
                "row": rows + 1,
                "row_key": self.table[self.key].combine_chunks().take(pa.array(rows)),
                "kind": columns.pick(kinds, kind),
                "treatment": columns.pick(treatments, kind),
            }
        )


def spoil(tables: Tables, parameters: Parameters, rng: np.random.Generator) -> tuple[Tables, pa.Table]:
    """Put the dirt into a chunk's tables.

    Returns
    -------
    dict of tables
        The spoilt tables; untouched ones as they were.
    pyarrow.Table
        The account of all dirt: table_name, source_file, row, row_key, kind, treatment.
    """
    done = [_customers(tables, parameters, rng)]
    orders, unusable = _orders(tables, parameters, rng)
    done += [orders, _lines(tables, unusable, parameters, rng), _payments(tables, unusable, parameters, rng)]
    done += [_interactions(tables, parameters, rng), _tickets(tables, parameters, rng), _leads(tables, parameters, rng)]
    done += [_consents(tables, parameters, rng)]
    return tables | {item.name: item.table for item in done}, pa.concat_tables([item.account() for item in done])


def _customers(tables: Tables, p: Parameters, rng: np.random.Generator) -> Spoiler:
    it = Spoiler("customers", tables["customers"], "customer_id", rng)
    it.change("missing mail", KEPT, "email", p.missing_email, _nothing)
    it.change("malformed mail", KEPT, "email", p.malformed_email, _broken_mail)
    it.change("missing phone", KEPT, "phone", p.missing_phone, _nothing)
    it.change("malformed phone", KEPT, "phone", p.malformed_phone, it.words(BROKEN_PHONES))
    it.change("missing date", KEPT, "created_at", p.missing_date, it.words(("", "n/a", "-")))
    it.change("German date", KEPT, "created_at", p.other_date_formats, _as_format(GERMAN))
    it.change("American date", KEPT, "created_at", p.other_date_formats / 2, _as_format(AMERICAN))
    has_birthday = pc.is_valid(it.table["birth_on"]).to_numpy()
    it.change("German birthday", KEPT, "birth_on", p.other_date_formats, _as_format("%d.%m.%Y"), has_birthday)
    it.repeat_rows(p.repeated_rows)
    return it


def _orders(tables: Tables, p: Parameters, rng: np.random.Generator) -> tuple[Spoiler, pa.Array]:
    it = Spoiler("orders", tables["orders"], "order_id", rng)
    it.change("German date", KEPT, "ordered_at", p.other_date_formats, _as_format(GERMAN))
    it.change("American date", KEPT, "ordered_at", p.other_date_formats / 2, _as_format(AMERICAN))
    # Nothing but lines and payments hangs on an order that is lost, so that no other row points into the void.
    is_bare = pc.invert(pc.is_in(it.table["order_id"], tables["feedback"]["order_id"].combine_chunks()))
    is_bare = pc.and_(is_bare, pc.is_null(it.table["opportunity_id"])).to_numpy()
    lost = [
        it.change("unknown customer", QUARANTINED, "customer_id", p.unknown_customers, _unknown, is_bare),
        it.change("broken date", QUARANTINED, "ordered_at", p.broken_dates, it.words(BROKEN_DATES), is_bare),
        it.change("date in the future", QUARANTINED, "ordered_at", p.future_dates, _ahead, is_bare),
    ]
    unusable = it.table["order_id"].combine_chunks().take(pa.array(np.concatenate(lost)))
    it.repeat_rows(p.repeated_rows)
    return it, unusable


def _lines(tables: Tables, unusable: pa.Array, p: Parameters, rng: np.random.Generator) -> Spoiler:
    it = Spoiler("order_items", tables["order_items"], "order_id", rng)
    it.note("order not usable", QUARANTINED, _of_orders(it.table, unusable))
    it.change("price as text", KEPT, "unit_price", p.prices_as_text, _with_currency)
    it.change("price of zero", KEPT, "unit_price", p.zero_prices, it.words(("0.00",)))
    it.change("broken price", QUARANTINED, "unit_price", p.broken_prices, it.words(BROKEN_PRICES))
    is_bought = pc.greater(it.table["quantity"], 0).to_numpy()
    it.change("mistyped quantity", KEPT, "quantity", p.mistyped_quantities, pc.negate, is_bought)
    it.repeat_rows(p.repeated_rows)
    return it


def _payments(tables: Tables, unusable: pa.Array, p: Parameters, rng: np.random.Generator) -> Spoiler:
    it = Spoiler("payments", tables["payments"], "payment_id", rng)
    it.note("order not usable", QUARANTINED, _of_orders(it.table, unusable))
    it.change("price as text", KEPT, "amount", p.prices_as_text, _with_currency)
    it.change("broken price", QUARANTINED, "amount", p.broken_prices, it.words(BROKEN_PRICES))
    it.repeat_rows(p.repeated_rows / 2)
    return it


def _interactions(tables: Tables, p: Parameters, rng: np.random.Generator) -> Spoiler:
    it = Spoiler("interactions", tables["interactions"], "interaction_id", rng)
    it.change("date in the future", QUARANTINED, "occurred_at", p.future_dates / 5, _ahead_stamp)
    it.repeat_rows(p.repeated_rows / 2)
    return it


def _tickets(tables: Tables, p: Parameters, rng: np.random.Generator) -> Spoiler:
    it = Spoiler("tickets", tables["tickets"], "ticket_id", rng)
    it.change("missing text", KEPT, "body", p.missing_texts, _nothing)
    it.change("German date", KEPT, "opened_at", p.other_date_formats, _as_format(GERMAN))
    is_bare = pc.invert(pc.is_in(it.table["ticket_id"], tables["feedback"]["ticket_id"].combine_chunks())).to_numpy()
    it.change("broken date", QUARANTINED, "opened_at", p.broken_dates, it.words(BROKEN_DATES), is_bare)
    it.repeat_rows(p.repeated_rows)
    return it


def _leads(tables: Tables, p: Parameters, rng: np.random.Generator) -> Spoiler:
    it = Spoiler("leads", tables["leads"], "lead_id", rng)
    it.change("malformed mail", KEPT, "email", p.malformed_email, _broken_mail)
    it.change("missing mail", KEPT, "email", p.missing_email, _nothing)
    it.change("American date", KEPT, "created_at", p.other_date_formats, _as_format(AMERICAN))
    it.repeat_rows(p.repeated_rows)
    return it


def _consents(tables: Tables, p: Parameters, rng: np.random.Generator) -> Spoiler:
    it = Spoiler("consents", tables["consents"], "customer_id", rng)
    it.change("missing date", KEPT, "captured_at", p.missing_date, _nothing)
    return it


def _of_orders(table: pa.Table, orders: pa.Array) -> np.ndarray:
    return np.flatnonzero(pc.is_in(table["order_id"], orders).to_numpy())


def _nothing(values: pa.Array) -> pa.Array:
    return pa.nulls(len(values), values.type)


def _broken_mail(values: pa.Array) -> pa.Array:
    third = np.arange(len(values)) % 3
    broken = [pc.replace_substring(values, "@", other) for other in ("(at)", "@@", "@ ")]
    return pc.if_else(pa.array(third == 0), broken[0], pc.if_else(pa.array(third == 1), broken[1], broken[2]))


def _as_format(form: str) -> Callable[[pa.Array], pa.Array]:
    return lambda values: pc.strftime(values.cast(pa.timestamp("s")), format=form)


def _unknown(values: pa.Array) -> pa.Array:
    return pc.replace_substring(values, "C", "X")


def _ahead(values: pa.Array) -> pa.Array:
    return _ahead_stamp(values.cast(pa.timestamp("s"))).cast(pa.string())


def _ahead_stamp(values: pa.Array) -> pa.Array:
    years = int(YEARS_AHEAD * 365.25) * columns.DAY
    return pc.add(values, pa.scalar(years, pa.int64()).cast(pa.duration("s")))


def _with_currency(values: pa.Array) -> pa.Array:
    comma = columns.join(pc.replace_substring(values, ".", ","), " EUR")
    sign = columns.join("€ ", values)
    return pc.if_else(pa.array(np.arange(len(values)) % 2 == 0), comma, sign)
