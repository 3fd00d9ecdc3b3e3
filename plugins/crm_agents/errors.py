"""Errors that are written for the person who reads them."""

from __future__ import annotations


class CrmAgentsError(Exception):
    """A mistake or a condition that a user can mend.

    The command line prints it without a traceback; an Airflow task fails with it as the last line of its log.

    Parameters
    ----------
    what : str
        What is wrong and where (the file, table, row or setting).
    way_out : str, optional
        What to do about it.
    """

    def __init__(self, what: str, way_out: str | None = None) -> None:
        self.what = what
        self.way_out = way_out
        super().__init__(f"{what} {way_out}" if way_out else what)
