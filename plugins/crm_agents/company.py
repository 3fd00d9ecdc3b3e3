"""A company: the settings in ``company.yml`` and the folder that maps its source files to the CRM schema."""

from __future__ import annotations

import difflib
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from crm_agents.crm_schema import crm_tables
from crm_agents.errors import CrmAgentsError
from crm_agents.settings import PROJECT_ROOT, Settings, load_settings

COMPANIES_DIR = PROJECT_ROOT / "examples" / "companies"


class Section(BaseModel):
    """Base of every section: an unknown key is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Section):
    """One source file as the mapping SQL sees it: a relation named `name`, every column text."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Relation name in the mapping SQL.")
    file: str = Field(description="File name in the data folder(s): .csv, .csv.gz, .zip with one csv, or .parquet.")
    optional: bool = Field(False, description="A missing file leaves its tables empty instead of failing the load.")
    delimiter: str = Field(",", min_length=1, max_length=1, description="Of a CSV file.")
    encoding: Literal["utf-8", "latin-1", "utf-16"] = Field("utf-8", description="Of a CSV file.")
    key: list[str] = Field([], description="Columns by which rows of a file found in two folders are united.")
    columns: list[str] = Field([], description="Columns that the mapping needs; the file may have more.")
    lookup: bool = Field(False, description="Its rows are only joined to those of other sources, so all count as used.")

    @model_validator(mode="after")
    def _optional_names_columns(self) -> Source:
        if self.optional and not self.columns:
            raise ValueError("an optional source lists its columns, so that its SQL also runs without the file")
        return self


class Horizon(Section):
    """How far agents look ahead."""

    horizon_days: int = Field(30, ge=1, le=730, description="Days in which a purchase is predicted.")
    cutoffs: int = Field(6, ge=1, le=36, description="Training cut-offs, 30 days apart.")
    retrain_after_days: int = Field(7, ge=1, description="Days after which a model is trained anew.")
    retrain_after_new_labels: float = Field(
        0.1,
        gt=0,
        description="New outcomes since the last training, as a share of those then known, that start another.",
    )


class SimplerData(Section):
    """What a simpler model needs, where there is too little for a model of its own: ten outcomes for each coefficient."""

    customers: int = Field(100, ge=1, description="Customers (leads, deals) that a simpler model needs.")
    history_days: int = Field(180, ge=1, description="Days of history that it needs, or twice the horizon.")
    positives: int = Field(30, ge=1, description="Training rows in which it happened.")
    negatives: int = Field(30, ge=1, description="Training rows in which it did not.")


class RuleData(Section):
    """What a rule needs, where there is too little even for a simpler model."""

    customers: int = Field(50, ge=1, description="Customers (leads, deals) that a rule needs.")
    history_days: int = Field(90, ge=1, description="Days of history that it needs, or twice the horizon.")
    positives: int = Field(10, ge=1, description="Training rows in which it happened.")
    negatives: int = Field(10, ge=1, description="Training rows in which it did not.")


class DealData(Section):
    """What a model of leads or opportunities needs, instead of what one of customers does."""

    deals: int = Field(80, ge=1, description="Leads or opportunities that a model of them needs.")
    history_days: int = Field(365, ge=1, description="Days of history that it needs, or twice the horizon.")
    positives: int = Field(40, ge=1, description="Training rows of deals that were won.")
    negatives: int = Field(40, ge=1, description="Training rows of deals that were lost.")


class MinimumData(Section):
    """Below these, a simpler model, a rule or nobody serves, and the reason is written."""

    customers: int = Field(500, ge=1, description="Customers that have ever bought.")
    history_days: int = Field(365, ge=1, description="Days from the first purchase to today.")
    positives: int = Field(100, ge=1, description="Training rows in which it happened.")
    negatives: int = Field(100, ge=1, description="Training rows in which it did not.")
    min_positive_share: float = Field(0.01, ge=0, le=1, description="Below it, it happens too rarely.")
    max_positive_share: float = Field(0.99, ge=0, le=1, description="Above it, it happens nearly always.")
    max_missing_share: float = Field(0.2, ge=0, le=1, description="Of a field that the model cannot do without.")
    simpler: SimplerData = SimplerData()
    rule: RuleData = RuleData()
    deals: DealData = DealData()


class Promotion(Section):
    """The gate that a new model version passes before it becomes champion."""

    min_share_of_champion: float = Field(0.95, gt=0, le=1, description="Of the champion's primary metric.")
    max_champion_age_days: int = Field(90, ge=1, description="An older one also yields to a worse one with a grade.")
    min_grade: Literal["A", "B"] = Field("B", description="Lowest grade against the baseline.")
    max_calibration_loss: float = Field(
        0.01,
        ge=0,
        le=1,
        description="By which the expected calibration error may exceed the champion's: sampling noise.",
    )
    min_slice_rows: int = Field(200, ge=1, description="Rows from which a slice of the holdout is judged by itself.")
    max_slice_auc_loss: float = Field(0.02, ge=0, le=1, description="By which no slice's AUC may fall.")
    max_slice_error_rise: float = Field(
        0.05, ge=0, le=1, description="Share by which no slice's error may rise, for models without an AUC."
    )


class Behaviour(Section):
    """What customer_behaviour_agent decides."""

    contact_share: float = Field(
        0.1, gt=0, le=1, description="Share of customers to contact now: those with the highest expected revenue."
    )
    contact_rest_days: int = Field(30, ge=0, description="Days between two contacts of the same customer.")
    leave_alone_below: float = Field(0.02, ge=0, le=1, description="Purchase probability below which nobody calls.")
    grade_bands: dict[Literal["A", "B", "C", "D"], float] = Field(
        {"A": 0.8, "B": 0.5, "C": 0.2, "D": 0.0},
        description="Lowest percentile of each grade letter that salespeople see.",
    )
    reasons_limit: int = Field(100_000, ge=0, description="Customers whose changed scores are explained in a run.")

    @field_validator("grade_bands")
    @classmethod
    def _bands_fall(cls, bands: dict[str, float]) -> dict[str, float]:
        limits = [bands.get(letter) for letter in "ABCD"]
        if None in limits or limits != sorted(limits, reverse=True) or limits[-1] != 0:  # type: ignore[type-var]
            raise ValueError("name A, B, C and D with falling limits, D at 0")
        return bands


class WriteBack(Section):
    """Limits on what one run may change."""

    score_valid_days: int = Field(30, ge=1, description="Days until a score expires.")
    material_move: float = Field(
        0.2,
        ge=0,
        description="A value that moves by more than this counts as changed (0.2: twenty points of probability).",
    )
    approval_above_share: float | None = Field(
        0.2, gt=0, le=1, description="Share of existing values that may change before a person has to approve."
    )
    approval_above_move: float | None = Field(
        0.5, gt=0, description="Sum of all moves, as a share of the values' sum, above which a person has to approve."
    )
    approval_above_deleted: float | None = Field(
        0.15, gt=0, le=1, description="Share of existing values that may be lost before a person has to approve."
    )


class Monitoring(Section):
    """When something counts as unusual, and who is told (docs/monitoring.md)."""

    days_per_false_alarm: int = Field(
        120, ge=1, description="Days in which one false alarm is accepted, over all measurements together."
    )
    window_days: int = Field(7, ge=1, description="Newest days that are compared with the days before: whole weeks.")
    reference_days: int = Field(56, ge=7, description="Days before the window that they are compared with.")
    history_days: int = Field(300, ge=28, description="Days from which is learnt how far a measurement usually moves.")
    min_rows: int = Field(100, ge=1, description="Rows of the window below which nothing is compared.")
    min_volume_change: float = Field(0.4, gt=0, description="Change of the number of rows that matters, as a share.")
    min_fill_change: float = Field(0.05, gt=0, le=1, description="Change of a column's filled share that matters.")
    min_distribution_psi: float = Field(
        0.05, gt=0, description="Population stability index of arriving rows from which a change matters."
    )
    min_input_psi: float = Field(
        0.25, gt=0, description="Population stability index of model inputs and scores from which a change matters."
    )
    min_label_change: float = Field(
        0.2, gt=0, description="Change of the rate at which an outcome comes that matters, as a share."
    )
    min_prediction_error: float = Field(
        0.35, gt=0, description="Difference of what came true from what was predicted that matters, as a share."
    )
    late_outcome_days: int = Field(35, ge=0, description="Days after which late outcomes no longer change a month.")
    mail_connection: str | None = Field(None, description="Airflow connection (SMTP) that sends alarms by mail.")
    mail_to: list[str] = Field([], description="Addresses that alarms are mailed to.")
    webhook_connection: str | None = Field(
        None, description="Airflow connection (HTTP) whose address alarms are posted to, as JSON."
    )


class Company(Section):
    """A company's settings (``company.yml``); every key is documented in ``docs/configuration.md``."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Short name, as its folder.")
    title: str = Field(description="Name for people.")
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$", description="Of every amount.")
    clock: Literal["wall", "data"] = Field(
        "data", description="Today is the calendar's day, or that of the newest data."
    )
    as_of_from: str | None = Field(None, description="Table whose newest event is the company's today (clock: data).")
    as_of: date | None = Field(None, description="A fixed today for a historical company.")
    last_event_on: date | None = Field(
        None, description="Events dated later are mistakes and go to quarantine (default: as_of, else the real today)."
    )
    generator: Literal["simulator"] | None = Field(None, description="Data come from the simulator instead of files.")
    sources: list[Source] = Field([], description="The source files.")
    non_product_codes: list[str] = Field([], description="Product ids that are not goods (postage, fees, corrections).")
    purchase_statuses: list[str] = Field(
        ["completed", "shipped", "placed"], description="Order statuses that count as a purchase."
    )
    known_at: dict[str, Literal["creation", "contact", "outcome"]] = Field(
        {},
        description="For `table.attribute`, from when on its value is known; models read what is known when they score.",
    )
    prediction: Horizon = Horizon()
    minimum_data: MinimumData = MinimumData()
    promotion: Promotion = Promotion()
    behaviour: Behaviour = Behaviour()
    write_back: WriteBack = WriteBack()
    monitoring: Monitoring = Monitoring()

    @field_validator("as_of_from")
    @classmethod
    def _is_a_table(cls, table: str | None) -> str | None:
        if table is not None and table not in crm_tables():
            raise ValueError(f"must be a CRM table: {', '.join(crm_tables())}")
        return table

    @field_validator("known_at")
    @classmethod
    def _names_attributes(cls, known_at: dict[str, str]) -> dict[str, str]:
        for name in known_at:
            table, dot, attribute = name.partition(".")
            if not (dot and attribute and table in crm_tables()):
                raise ValueError(f"{name!r} must be a CRM table, a dot and an attribute, as in leads.source")
        return known_at

    @field_validator("sources")
    @classmethod
    def _sources_differ(cls, sources: list[Source]) -> list[Source]:
        for attribute in ("name", "file"):
            values = [getattr(source, attribute) for source in sources]
            repeated = sorted({value for value in values if values.count(value) > 1})
            if repeated:
                raise ValueError(f"two sources have the {attribute} {repeated[0]!r}")
        return sources


def find_company(name_or_path: str) -> Path:
    """Return the folder of a company: one of ``examples/companies``, or any folder with a company.yml in it.

    Raises
    ------
    CrmAgentsError
        When there is none, naming those that exist.
    """
    for folder in (COMPANIES_DIR / name_or_path, Path(name_or_path).expanduser()):
        if (folder / "company.yml").is_file():
            return folder.resolve()
    known = sorted(path.parent.name for path in COMPANIES_DIR.glob("*/company.yml"))
    raise CrmAgentsError(
        f"No company {name_or_path!r}: neither one of {', '.join(known)} nor a folder with a company.yml.",
        "`examples/companies/README.md` shows how to map your own.",
    )


def read_company(folder: Path) -> Company:
    """Read and check ``company.yml``.

    Raises
    ------
    CrmAgentsError
        Naming the file, the key, what is wrong with it and, for an unknown key, the nearest known one.
    """
    path = folder / "company.yml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise CrmAgentsError(f"{path} cannot be read: {error}.", "It must be a YAML file.") from error
    if not isinstance(content, dict):
        raise CrmAgentsError(f"{path} holds no settings.", "See examples/companies/simulated/company.yml.")
    try:
        return Company.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_explain(item) for item in error.errors())
        raise CrmAgentsError(f"{path}: {problems}.", "docs/configuration.md lists every key.") from error


def is_company_loaded(settings: Settings | None = None) -> bool:
    """Tell whether ``load`` has put a company into the CRM."""
    return ((settings or load_settings()).company_dir / "company.yml").is_file()


def loaded_company(settings: Settings | None = None) -> Company:
    """Return the company that ``load`` put into the CRM.

    Raises
    ------
    CrmAgentsError
        When nothing has been loaded yet.
    """
    settings = settings or load_settings()
    if not is_company_loaded(settings):
        raise CrmAgentsError("No company has been loaded yet.", "Load one with `crm-agents load simulated`.")
    return read_company(settings.company_dir)


def _explain(item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"])
    if item["type"] != "extra_forbidden":
        return f"{place}: {item['msg'].removeprefix('Value error, ')} (found {item['input']!r})"
    known = sorted(_known_keys())
    nearest = difflib.get_close_matches(str(item["loc"][-1]), known, n=1)
    return f"unknown key {place}" + (f" (did you mean {nearest[0]}?)" if nearest else "")


def _known_keys() -> set[str]:
    sections: list[type[Section]] = [Company, *Section.__subclasses__()]
    return {key for section in sections for key in section.model_fields}
