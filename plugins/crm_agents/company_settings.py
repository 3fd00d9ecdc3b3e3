"""The sections of a company's settings (``company.yml``): what each may say, and what holds where it says nothing."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


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


class Churn(Section):
    """When a customer counts as lost."""

    window_days: int | None = Field(
        None,
        ge=7,
        le=730,
        description="Days without a purchase after which a customer is lost (default: proposed from the company's own rhythm).",
    )


class Value(Section):
    """How far the value of a customer looks ahead."""

    horizon_days: int | None = Field(
        None,
        ge=30,
        le=730,
        description="Days whose revenue a customer's value is (default: 365; with less than twice that of history, half of it).",
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
        description="A value that moves by more than this counts as changed (0.2: twenty points of probability, or of amounts "
        "a fifth of the mean value).",
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
