"""What a rule is: a sentence for people, a severity, and the SQL that finds the rows which break it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["critical", "warning"]
Family = Literal["text", "number", "time", "date", "flag", "any"]

CRITICAL: Severity = "critical"
WARNING: Severity = "warning"

# Values of these columns never leave the lake through a gate: samples are made of keys only.
PERSONAL_COLUMNS = frozenset(
    {"name", "email", "phone", "company", "city", "postal_code", "birth_on", "attributes", "subject", "body", "text"}
)

CHANNELS = ("web", "email", "phone", "chat", "store", "social", "mail", "sms", "other")
ORDER_STATUSES = ("placed", "shipped", "completed", "cancelled", "returned")
OPPORTUNITY_STAGES = ("prospecting", "qualification", "engaging", "proposal", "negotiation", "won", "lost")

# Stand in the SQL of a rule for the asked day, the first moment that is surely in its future, the company's currency.
AS_OF = "$as_of"
FUTURE = "$future"
CURRENCY = "$currency"
KEY_UNIQUE = "key_unique"
MAIL_PATTERN = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"


@dataclass(frozen=True)
class Rule:
    """One rule on one table.

    Parameters
    ----------
    name : str
        Unique within its suite; the `expectation` of ``crm_ai.quality_results``.
    description : str
        What must hold, as a sentence for people.
    severity : {"critical", "warning"}
        Critical stops the run, warning is recorded.
    columns : mapping of str to Family
        Columns that the rule reads and the kind of type each must have.
    max_value, min_value : float
        Range that the measured value must lie in. The value is the share of rows that break the rule, unless a
        subclass says otherwise.
    """

    name: str
    description: str
    severity: Severity
    columns: Mapping[str, Family] = field(default_factory=dict)
    max_value: float = 0.0
    min_value: float = 0.0


@dataclass(frozen=True)
class RowRule(Rule):
    """A rule that each row keeps or breaks; `unexpected` is the SQL predicate of the rows that break it."""

    unexpected: str = "false"


@dataclass(frozen=True)
class TotalRule(Rule):
    """A rule on the table as a whole; `unexpected` is a scalar query that counts `unit`. The value is that count."""

    unexpected: str = "select 0"
    unit: str = "rows too many or too few"


@dataclass(frozen=True)
class KeyRule(Rule):
    """No two rows have the same key."""


@dataclass(frozen=True)
class ColumnsRule(Rule):
    """The table has every column that the other rules read, of the right type. The value is how many it lacks."""


@dataclass(frozen=True)
class NoColumnsRule(Rule):
    """The table has no column whose name matches `forbidden` (a regular expression). The value is how many it has."""

    forbidden: str = ""


@dataclass(frozen=True)
class VolumeRule(Rule):
    """The batch is of the usual size. The value is its rows divided by those of a typical earlier batch."""


@dataclass(frozen=True, eq=False)
class Suite:
    """The rules of one table at one stage.

    Parameters
    ----------
    table : str
        Name within `schema` of the lake.
    key : mapping of str to Family
        Columns that identify a row: each must be filled and together they must be unique. Samples show only these.
        Empty where another test owns the key.
    rules : tuple of Rule
        What else must hold.
    """

    schema: str
    table: str
    key: Mapping[str, Family]
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        personal = PERSONAL_COLUMNS & set(self.key)
        if personal:
            raise ValueError(f"{self.schema}.{self.table}: personal columns {sorted(personal)} cannot be a key")
        names = [rule.name for rule in self.all_rules()]
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise ValueError(f"{self.schema}.{self.table}: rules named twice: {sorted(repeated)}")

    def all_rules(self) -> tuple[Rule, ...]:
        """Return the rules with those that every table has: columns, key filled, key unique."""
        key = " and ".join(self.key)
        filled = tuple(present(column, family) for column, family in self.key.items())
        unique = KeyRule(KEY_UNIQUE, f"No two rows of {self.table} have the same {key}.", CRITICAL, self.key)
        declared = ColumnsRule(
            "columns_as_declared", f"{self.table} has every column that is needed, of the right type.", CRITICAL
        )
        return (declared, *filled, *((unique,) if self.key else ()), *self.rules)

    def needed_columns(self) -> dict[str, Family]:
        """Return every column that some rule reads, with the kind of type it must have."""
        needed: dict[str, Family] = {}
        for rule in self.all_rules():
            for column, family in rule.columns.items():
                if needed.get(column, "any") == "any":
                    needed[column] = family
        return needed


def present(column: str, family: Family = "any", *, severity: Severity = CRITICAL, max_share: float = 0.0) -> RowRule:
    """`column` is filled (for text: not blank either)."""
    blank = f"{column} is null or {column} = ''" if family == "text" else f"{column} is null"
    return RowRule(
        f"{column}_present",
        _tolerant(f"{column} is filled", max_share),
        severity,
        {column: family},
        max_share,
        unexpected=blank,
    )


def one_of(column: str, words: Iterable[str], severity: Severity = WARNING) -> RowRule:
    """`column`, where filled, is a word of the closed vocabulary."""
    words = tuple(words)
    listed = ", ".join(f"'{word}'" for word in words)
    return RowRule(
        f"{column}_known",
        f"{column} is one of {', '.join(words)}.",
        severity,
        {column: "text"},
        unexpected=f"{column} not in ({listed})",
    )


def within(
    column: str, lowest: float, highest: float, *, severity: Severity = WARNING, max_share: float = 0.0
) -> RowRule:
    """`column`, where filled, is a number of sane size."""
    return RowRule(
        f"{column}_plausible",
        _tolerant(f"{column} lies between {lowest:,} and {highest:,}", max_share),
        severity,
        {column: "number"},
        max_share,
        unexpected=f"{column} not between {lowest} and {highest}",
    )


def at_least(column: str, lowest: float = 0, *, severity: Severity = WARNING, max_share: float = 0.0) -> RowRule:
    """`column`, where filled, is finite and not below `lowest`."""
    return RowRule(
        f"{column}_plausible",
        _tolerant(f"{column} is a finite number of at least {lowest:,}", max_share),
        severity,
        {column: "number"},
        max_share,
        unexpected=f"{column} < {lowest} or not isfinite({column}::double)",
    )


def not_in_future(column: str, family: Family = "time", *, severity: Severity = WARNING) -> RowRule:
    """`column`, where filled, is not later than the day after `as_of` (one day of grace for clocks and time zones)."""
    return RowRule(
        f"{column}_not_in_future",
        f"{column} is not later than the day after as_of.",
        severity,
        {column: family},
        unexpected=f"{column} >= {FUTURE}",
    )


def not_before(later: str, earlier: str, family: Family = "time", *, max_share: float = 0.01) -> RowRule:
    """`later`, where both are filled, does not precede `earlier`."""
    return RowRule(
        f"{later}_not_before_{earlier}",
        _tolerant(f"{later} is not before {earlier}", max_share),
        WARNING,
        {later: family, earlier: family},
        max_share,
        unexpected=f"{later} < {earlier}",
    )


def mail(column: str = "email") -> RowRule:
    """`column`, where filled, looks like a mail address; people mistype some, so only a share above 5 % is told."""
    return RowRule(
        f"{column}_well_formed",
        _tolerant(f"{column} looks like a mail address", 0.05),
        WARNING,
        {column: "text"},
        0.05,
        unexpected=f"{column} <> '' and not regexp_matches({column}, '{MAIL_PATTERN}')",
    )


def currency(column: str = "currency") -> RowRule:
    """`column`, where filled, is a three-letter code (ISO 4217)."""
    return RowRule(
        f"{column}_is_code",
        f"{column} is a code of three capital letters.",
        WARNING,
        {column: "text"},
        unexpected=f"not regexp_matches({column}, '^[A-Z]{{3}}$')",
    )


def company_currency(column: str = "currency") -> RowRule:
    """`column`, where filled, is the company's currency: amounts are added up without conversion."""
    return RowRule(
        f"{column}_is_the_companys",
        f"{column} is the one that company.yml names.",
        WARNING,
        {column: "text"},
        unexpected=f"{column} <> {CURRENCY}",
    )


def volume(factor: float = 20.0) -> VolumeRule:
    """The batch has neither `factor` times more nor fewer rows than the batches before it usually had."""
    return VolumeRule(
        "volume_as_usual",
        f"The batch has no more than {factor:g} times, and no less than a {factor:g}th of, the rows of a typical "
        "earlier batch.",
        WARNING,
        {},
        factor,
        1 / factor,
    )


def row_rule(
    name: str,
    description: str,
    severity: Severity,
    columns: Mapping[str, Family],
    unexpected: str,
    max_share: float = 0.0,
) -> RowRule:
    """Return a rule that none of the shorter forms says."""
    return RowRule(name, _tolerant(description, max_share), severity, columns, max_share, unexpected=unexpected)


def _tolerant(sentence: str, max_share: float) -> str:
    return f"{sentence} (up to {100 * max_share:g} % of rows may differ)." if max_share else f"{sentence}."
