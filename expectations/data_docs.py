"""Data Docs: the results of the gates as HTML pages that a person reads.

Great Expectations renders the results; the pages around them are ours (templates/), because its own fetch styles,
scripts and pictures from seven servers on the internet and are unreadable without. Its renderers also put texts into
the page as they are, so everything that may hold a key from the CRM is escaped here.
"""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from great_expectations.core.expectation_validation_result import expectationSuiteValidationResultSchema
from great_expectations.render import RenderedDocumentContent, RenderedSectionContent
from great_expectations.render.renderer.content_block import ValidationResultsTableContentBlockRenderer
from great_expectations.render.view import DefaultJinjaPageView

from expectations import context  # noqa: F401 (registers our expectation, without which results cannot be read)

TEMPLATES = Path(__file__).parent / "templates"
KEPT_RUNS = 50


class OfflinePageView(DefaultJinjaPageView):
    """A page that carries its own style, needs no network and runs no script."""

    _template = "stage.j2"


class OfflineIndexView(OfflinePageView):
    """The list of all runs."""

    _template = "runs.j2"

    def _validate_document(self, document: Any) -> None:
        """Accept our own dictionary: the index is not a rendered validation."""


def build(results_dir: Path, docs_dir: Path, only: Collection[str] = ()) -> Path:
    """Render the kept results of the runs `only` (folder names; by default of every run) and the index.

    Parameters
    ----------
    results_dir : Path
        One folder per run, in it one JSON file per stage.
    docs_dir : Path
        Where the pages go: ``index.html`` and ``<run>/<stage>.html``.

    Returns
    -------
    Path
        The index page.
    """
    _forget_old_runs(results_dir, docs_dir)
    runs = _newest_first(results_dir)
    for folder in runs:
        if not only or folder.name in only:
            for kept in sorted(folder.glob("*.json")):
                _write(docs_dir / folder.name / f"{kept.stem}.html", _stage_page(json.loads(kept.read_text("utf-8"))))
    rows = [_index_row(folder.name, json.loads(kept.read_text("utf-8"))) for folder in runs for kept in _stages(folder)]
    index = docs_dir / "index.html"
    _write(index, str(_view(OfflineIndexView).render({"rows": rows})))
    return index


def _newest_first(results_dir: Path) -> list[Path]:
    folders = [folder for folder in results_dir.glob("*") if folder.is_dir()]
    return sorted(folders, key=lambda folder: (folder.stat().st_mtime_ns, folder.name), reverse=True)


def _stages(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"), key=lambda kept: (kept.stat().st_mtime_ns, kept.name))


def _forget_old_runs(results_dir: Path, docs_dir: Path) -> None:
    for folder in _newest_first(results_dir)[KEPT_RUNS:]:
        shutil.rmtree(folder)
        shutil.rmtree(docs_dir / folder.name, ignore_errors=True)


def _view(kind: type[OfflinePageView]) -> OfflinePageView:
    return kind(custom_views_directory=str(TEMPLATES), custom_styles_directory=str(TEMPLATES))


def _write(path: Path, page: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)


def _index_row(run: str, stage: Mapping[str, Any]) -> dict[str, Any]:
    results = [one for result in stage["results"] for one in result["results"]]
    failed = [one["expectation_config"]["severity"] for one in results if not one["success"]]
    return {
        "run_id": html.escape(stage["run_id"]),
        "stage": html.escape(stage["stage"]),
        "as_of": html.escape(stage["as_of"]),
        "tables": len(stage["results"]),
        "rules": len(results),
        "critical": failed.count("critical"),
        "warning": failed.count("warning"),
        "page": f"{run}/{stage['stage']}.html",
    }


def _stage_page(stage: Mapping[str, Any]) -> str:
    document = RenderedDocumentContent(
        renderer_type="ValidationResultsPageRenderer",
        page_title=html.escape(f"{stage['stage']} gate"),
        sections=[_section(result) for result in stage["results"]],
    )
    facts = {key: html.escape(stage[key]) for key in ("run_id", "stage", "as_of")}
    return str(_view(OfflinePageView).render(document, facts=facts))


def _section(result: Mapping[str, Any]) -> RenderedSectionContent:
    """Render one table's results: a row per rule, the broken ones first."""
    rules = sorted(result["results"], key=_worst_first)
    loaded = expectationSuiteValidationResultSchema.load({**result, "results": [_escaped(rule) for rule in rules]})
    table = ValidationResultsTableContentBlockRenderer.render(loaded.results, include_column_name=False)
    return RenderedSectionContent(section_name=html.escape(result["suite_name"]), content_blocks=[table])


def _worst_first(rule: Mapping[str, Any]) -> tuple[bool, bool]:
    return rule["success"], rule["expectation_config"]["severity"] != "critical"


def _escaped(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return a kept result with every text escaped, its name and severity beside the sentence."""
    escaped: dict[str, Any] = _escape(rule)
    config = escaped["expectation_config"]
    severity = config["severity"]
    config["description"] += f' <small>{config["kwargs"]["column"]}, <span class="{severity}">{severity}</span></small>'
    return escaped


def _escape(value: Any) -> Any:
    match value:
        case str():
            return html.escape(value)
        case dict():
            return {key: _escape(item) for key, item in value.items()}
        case list():
            return [_escape(item) for item in value]
    return value
