"""Versions on a real PostgreSQL and in real MLflow: who serves on which day, and files that can be trusted."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crm_agents import model_versions, postgres, registry
from crm_agents.errors import CrmAgentsError
from crm_agents.registry import Registration
from crm_agents.settings import load_settings
from models_ml.core import linear
from models_ml.core.blend import BlendModel

MODEL = "purchase_propensity"
FEATURES = ("recency_days", "purchases_total")
EXAMPLE = pd.DataFrame({"recency_days": [5.0, 50.0], "purchases_total": [9.0, 1.0]})


def fitted() -> BlendModel:
    part = linear.LogLinear(FEATURES, np.array([3.0, 1.0]), np.array([1.0, 0.5]), np.array([-0.8, 0.6]), -0.5)
    return BlendModel(FEATURES, None, part, 0.0, facts={"method": "test"})


def row(version: str, day: date, **changes: object) -> dict:
    metrics = {"brier": 0.2, "auc": 0.7}
    return {
        "model": MODEL,
        "version": version,
        "method": "champion",
        "grade": "B",
        "metrics": metrics,
        "baseline_metrics": metrics,
        "trained_as_of": day,
        **changes,
    }


def champion_on(day: date | None = None) -> str | None:
    found = registry.champion(MODEL, day)
    return found.version if found else None


@pytest.fixture
def registered(installation: Path, tmp_path: Path) -> registry.ModelVersion:
    """A model that is registered in MLflow and serves."""
    model = fitted()
    model.save(tmp_path / "fitted")
    done = registry.register(
        Registration(
            model=MODEL,
            method="champion",
            folder=tmp_path / "fitted",
            parameters={"depth": 3},
            metrics={"brier": 0.2, "auc": None, "slices": {}},
            tags={"snapshot": "17", "as_of": "2026-06-30"},
            input_example=EXAMPLE,
            output_example=model.probability(model.matrix(EXAMPLE)),
            files={registry.CARD: b"# A card"},
        )
    )
    files = {"artifact_uri": done.artifact_uri, "artifact_sha256": done.artifact_sha256, "card_uri": done.card_uri}
    model_versions.record([row(done.version, date(2026, 6, 30), **files)], done.version, date(2026, 6, 30), "first")
    registry.sync_aliases(MODEL)
    found = registry.champion(MODEL)
    assert found is not None
    return found


def test_a_registered_model_scores_as_before(registered: registry.ModelVersion) -> None:
    serving = registry.load(registered)
    assert serving.features == FEATURES
    np.testing.assert_array_equal(serving.predict(EXAMPLE), fitted().probability(fitted().matrix(EXAMPLE)))
    folder = load_settings().mlflow_dir
    assert (folder / str(registered.card_uri)).read_text() == "# A card"
    assert not Path(str(registered.artifact_uri)).is_absolute()  # so that a home folder can be moved


def test_mlflow_has_version_alias_signature_metrics_and_files(registered: registry.ModelVersion) -> None:
    import mlflow

    client = registry._client(load_settings())
    version = client.get_model_version_by_alias(MODEL, "champion")
    assert str(version.version) == registered.version
    run = client.get_run(version.run_id)
    assert run.data.metrics["brier"] == 0.2
    assert run.data.params["depth"] == "3"
    assert run.data.tags["snapshot"] == "17"
    assert [file.path for file in client.list_artifacts(version.run_id)] == [registry.CARD]
    loaded = mlflow.pyfunc.load_model(version.source)
    assert [column.name for column in loaded.metadata.signature.inputs] == list(FEATURES)
    np.testing.assert_allclose(loaded.predict(EXAMPLE), fitted().probability(fitted().matrix(EXAMPLE)))


def test_no_password_and_no_customer_in_what_mlflow_keeps(registered: registry.ModelVersion) -> None:
    password = postgres.server().password.encode()
    files = [path for path in load_settings().mlflow_dir.rglob("*") if path.is_file()]
    assert {"MLmodel", "model.json", "input_example.json", "model_card.md"} <= {path.name for path in files}
    for path in files:
        assert password not in path.read_bytes()
        assert b"customer_id" not in path.read_bytes()


def test_deleted_files_are_named(registered: registry.ModelVersion) -> None:
    folder = load_settings().mlflow_dir / str(registered.artifact_uri)
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(CrmAgentsError, match=r"files of purchase_propensity version \d+ are gone"):
        registry.load(registered)


def test_changed_files_are_refused(registered: registry.ModelVersion) -> None:
    path = load_settings().mlflow_dir / str(registered.artifact_uri) / "model.json"
    path.write_text(path.read_text().replace("-0.5", "-0.6"))
    with pytest.raises(CrmAgentsError, match="not those that were registered"):
        registry.load(registered)


def test_columns_that_no_longer_exist_are_named(registered: registry.ModelVersion) -> None:
    with pytest.raises(CrmAgentsError, match="lack column purchases_total"):
        registry.load(registered).predict(EXAMPLE[["recency_days"]])


def test_a_moved_home_gets_files_of_its_own(
    registered: registry.ModelVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = load_settings().home.rename(tmp_path / "moved")
    monkeypatch.setenv("CRM_AGENTS_HOME", str(moved))
    assert registry.load(registered).features == FEATURES
    done = registry.register(
        Registration(
            MODEL, "champion", moved / "mlflow" / str(registered.artifact_uri), {}, {}, {}, EXAMPLE, np.ones(2)
        )
    )
    assert (moved / "mlflow" / done.artifact_uri / "model.json").exists()


def test_an_unreachable_registry_is_said_in_a_sentence(installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_AGENTS_DATABASE_URL", "postgresql://nobody:x@127.0.0.1:1")
    (installation / "fitted").mkdir()
    with pytest.raises(CrmAgentsError, match="does not let us into database 'mlflow'"):
        registry.register(Registration(MODEL, "champion", installation / "fitted", {}, {}, {}, EXAMPLE, np.ones(2)))


def test_champion_of_each_day(installation: Path) -> None:
    assert champion_on() is None
    first, second = date(2026, 1, 1), date(2026, 2, 1)
    model_versions.record([row("1", first)], "1", first, "first")
    model_versions.record([row("2", second)], "2", second, "better")
    assert [champion_on(day) for day in (date(2025, 12, 31), first, date(2026, 1, 31), second, None)] == [
        *(None, "1", "1", "2", "2")
    ]


def test_a_backfilled_day_does_not_move_the_present(installation: Path) -> None:
    now, before = date(2026, 2, 1), date(2026, 1, 1)
    model_versions.record([row("1", now)], "1", now, "first")
    model_versions.record([row("2", before)], "2", before, "trained for a day in the past")
    assert [champion_on(day) for day in (None, date(2026, 1, 15), now)] == ["1", "2", "1"]
    assert model_versions.aliases(MODEL) == {"champion": "1", "previous": "2"}


def test_aliases_and_reigns_follow_promotions(installation: Path) -> None:
    days = [date(2026, month, 1) for month in (1, 2, 3)]
    model_versions.record([row("1", days[0])], "1", days[0], "first")
    model_versions.record([row("2", days[1]), row("3", days[1], method="baseline")], "2", days[1], "better")
    model_versions.record([row("4", days[2])], None, days[2], "not better")
    assert model_versions.aliases(MODEL) == {"champion": "2", "previous": "1", "challenger": "4"}
    reigns = {v.version: (v.promoted_at is not None, v.retired_at is not None) for v in registry.versions(MODEL)}
    assert reigns == {"1": (True, True), "2": (True, False), "3": (False, False), "4": (False, False)}


def test_revert_and_revert_again(installation: Path) -> None:
    days = [date(2026, month, 1) for month in (1, 2, 3)]
    for number, day in enumerate(days[:2], start=1):
        model_versions.record([row(str(number), day)], str(number), day, "trained")
    before, now = model_versions.revert(MODEL, days[2])
    assert (before.version, now.version) == ("2", "1")
    # history stays true: version 2 did serve in February
    assert [champion_on(day) for day in (days[0], days[1], days[2])] == ["1", "2", "1"]
    assert model_versions.aliases(MODEL) == {"champion": "1", "previous": "2"}
    assert now.retired_at is None
    assert model_versions.revert(MODEL, days[2])[1].version == "2"


def test_revert_takes_the_newest_scored_day(installation: Path) -> None:
    for number, day in ((1, date(2026, 1, 1)), (2, date(2026, 2, 1))):
        model_versions.record([row(str(number), day)], str(number), day, "trained")
    with postgres.connect() as crm:
        crm.execute(
            "insert into crm_ai.scores (entity_type, entity_id, model, status, as_of, run_id) "
            "values ('customer', 'c1', %s, 'scored', '2026-02-20', 'r')",
            (MODEL,),
        )
    model_versions.revert(MODEL)
    assert [champion_on(date(2026, 2, day)) for day in (19, 20)] == ["2", "1"]


def test_what_cannot_be_reverted_is_said(installation: Path) -> None:
    with pytest.raises(CrmAgentsError, match="no earlier champion"):
        model_versions.revert(MODEL)
    for number, day in ((1, date(2026, 1, 1)), (2, date(2026, 2, 1))):
        model_versions.record([row(str(number), day)], str(number), day, "trained")
    with pytest.raises(CrmAgentsError, match="lies before"):
        model_versions.revert(MODEL, date(2026, 1, 15))


def test_a_version_is_written_with_its_promotion_or_not_at_all(installation: Path) -> None:
    import psycopg

    with pytest.raises(psycopg.Error):
        model_versions.record([row("1", date(2026, 1, 1))], "99", date(2026, 1, 1), "no such version")
    assert registry.versions(MODEL) == []
