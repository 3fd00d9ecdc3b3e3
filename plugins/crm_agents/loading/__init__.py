"""From a company's source files to the CRM: mapped by SQL, typed, checked, counted, written in one transaction."""

from crm_agents.loading.loader import load
from crm_agents.loading.report import FileCounts, LoadReport, Reason, TableCounts

__all__ = ["FileCounts", "LoadReport", "Reason", "TableCounts", "load"]
