"""Great Expectations itself: the only module that opens a context.

Importing this module takes Great Expectations' six seconds, so it is imported where a gate runs, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations import ExpectColumnMaxToBeBetween
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.render import CollapseContent, LegacyDiagnosticRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer

from expectations.measure import Measurement


class ExpectMeasureToBeBetween(ExpectColumnMaxToBeBetween):
    """The measured value of one rule (a column of a frame with one row) lies in the rule's range.

    In Data Docs it shows what was measured in words, and for a broken rule the SQL that lists the rows: `gate` keeps
    both in the result's ``details``.
    """

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.OBSERVED_VALUE)
    def _diagnostic_observed_value_renderer(
        cls,
        configuration: ExpectationConfiguration | None = None,
        result: ExpectationValidationResult | None = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> str:
        return str(result.result["details"]["observed"]) if result else "--"

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.UNEXPECTED_STATEMENT)
    def _diagnostic_unexpected_statement_renderer(
        cls,
        configuration: ExpectationConfiguration | None = None,
        result: ExpectationValidationResult | None = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> list[RenderedStringTemplateContent | CollapseContent]:
        sql = result.result["details"].get("sql") if result else None
        if not sql:
            return []
        return [RenderedStringTemplateContent(string_template={"template": sql, "tag": "code"})]


@cache
def batch_definition() -> BatchDefinition[Any]:
    """Return where frames are handed in: one context in memory per process, silent and without analytics."""
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("lake").add_dataframe_asset("measures")
    return asset.add_batch_definition_whole_dataframe("one row a table")


def validate(suite_name: str, measurements: Sequence[Measurement]) -> ExpectationSuiteValidationResult:
    """Judge the measurements of one table.

    Parameters
    ----------
    suite_name : str
        Name of the suite, for example ``"arrival.orders"``.
    measurements : sequence of Measurement, non-empty

    Returns
    -------
    ExpectationSuiteValidationResult
        One result per measurement, in the same order.

    Raises
    ------
    RuntimeError
        When Great Expectations could not evaluate an expectation: that is neither a pass nor a fail.
    """
    frame = pd.DataFrame({found.rule.name: [float(found.value)] for found in measurements})
    expectations = [
        ExpectMeasureToBeBetween(
            column=found.rule.name,
            min_value=found.rule.min_value,
            max_value=found.rule.max_value,
            severity=FailureSeverity(found.rule.severity),
            description=found.rule.description,
        )
        for found in measurements
    ]
    suite = gx.ExpectationSuite(name=suite_name, expectations=expectations)
    result = batch_definition().get_batch({"dataframe": frame}).validate(suite)
    by_rule = {one.expectation_config.kwargs["column"]: one for one in result.results if one.expectation_config}
    unjudged = [
        found.rule.name for found in measurements if by_rule[found.rule.name].result.get("observed_value") is None
    ]
    if unjudged:
        raise RuntimeError(f"Great Expectations could not evaluate {', '.join(unjudged)} of {suite_name}")
    result.results = [by_rule[found.rule.name] for found in measurements]
    return result
