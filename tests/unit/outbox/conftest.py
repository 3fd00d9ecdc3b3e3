"""A desk at which wishes are judged."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from tests.outreach_desk import Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    """An empty desk."""
    with duckdb.connect() as connection:
        yield Desk(connection)
