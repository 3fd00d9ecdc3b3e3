"""What company.yml may say about contacts, and what is told when it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from crm_agents.company import read_company
from crm_agents.contact_settings import Personalisation
from crm_agents.errors import CrmAgentsError


def told(folder: Path, **personalisation) -> str:
    """Return what is said about a company.yml with this section."""
    text = yaml.safe_dump({"name": "test", "title": "Test", "personalisation": personalisation})
    (folder / "company.yml").write_text(text)
    with pytest.raises(CrmAgentsError) as caught:
        read_company(folder)
    return str(caught.value)


def test_an_action_without_a_cost_is_named(tmp_path: Path) -> None:
    message = told(tmp_path, actions=[{"name": "mail_discount", "cost": 2}, {"name": "visit"}])
    assert "personalisation.actions.1.cost" in message
    assert "visit" in message


def test_a_policy_that_asks_for_an_unknown_action_is_told_which_there_are(tmp_path: Path) -> None:
    message = told(tmp_path, policy="send_flowers")
    assert "'send_flowers' is no action" in message
    assert "mail_discount" in message


def test_two_actions_of_one_name_are_told(tmp_path: Path) -> None:
    message = told(tmp_path, actions=[{"name": "call", "cost": 1}, {"name": "call", "cost": 2}])
    assert "two actions have the name 'call'" in message


@pytest.mark.parametrize(("key", "value"), [("holdout_share", 0.05), ("max_contact_share", 0), ("outcome_days", 1)])
def test_limits_that_cannot_hold_are_told(tmp_path: Path, key: str, value: float) -> None:
    assert f"personalisation.{key}" in told(tmp_path, **{key: value})


def test_a_company_may_fix_the_choice_to_one_of_its_actions() -> None:
    assert Personalisation(policy="call").policy == "call"
    assert Personalisation(policy="do_nothing", actions=[]).actions == []
