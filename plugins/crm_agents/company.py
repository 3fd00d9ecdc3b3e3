"""A company: the settings in ``company.yml`` and the folder that maps its source files to the CRM schema."""

from __future__ import annotations

import difflib
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from crm_agents.company_settings import (
    Behaviour,
    Churn,
    Horizon,
    MinimumData,
    Monitoring,
    Promotion,
    Section,
    Source,
    Value,
    WriteBack,
)
from crm_agents.contact_settings import Outreach, Personalisation
from crm_agents.crm_schema import crm_tables
from crm_agents.errors import CrmAgentsError
from crm_agents.settings import PROJECT_ROOT, Settings, load_settings

COMPANIES_DIR = PROJECT_ROOT / "examples" / "companies"


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
    churn: Churn = Churn()
    value: Value = Value()
    minimum_data: MinimumData = MinimumData()
    promotion: Promotion = Promotion()
    behaviour: Behaviour = Behaviour()
    personalisation: Personalisation = Personalisation()
    write_back: WriteBack = WriteBack()
    monitoring: Monitoring = Monitoring()
    outreach: Outreach = Outreach()

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
