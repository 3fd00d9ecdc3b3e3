"""What a marketer reads of each segment, and the picture of how the segments were chosen."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models_ml.segments.clustering import Candidate
from models_ml.segments.segmentation import Segmentation

MEASURES = ("recency_days", "purchases_365d", "revenue_365d", "average_order_value", "mean_gap_days")
COLOURS = {"kmeans": "#1f6f8b", "hdbscan": "#e07b39"}


def profiles(frame: pd.DataFrame, assigned: pd.DataFrame) -> pd.DataFrame:
    """Return one row a segment: customers, their share, share of last year's revenue, and medians of what tells them apart.

    Parameters
    ----------
    frame : DataFrame
        Features of the customers.
    assigned : DataFrame
        From `Segmentation.assign`, row by row.

    Returns
    -------
    DataFrame
        segment_id, segment_name, customers, customer_share, revenue_share, and `median_<measure>` of each of `MEASURES`,
        largest share of revenue first. Who has bought on one day only has no gap between purchases, which counts as an endless
        one: where that is most of a segment its median is NaN.
    """
    rows = frame.reindex(columns=list(MEASURES)).astype(float)
    rows["revenue"] = rows["revenue_365d"].clip(lower=0).fillna(0.0)
    rows["mean_gap_days"] = rows["mean_gap_days"].fillna(np.inf)
    groups = rows.groupby([assigned["segment_id"], assigned["segment_name"]])
    found = groups[list(MEASURES)].median().replace(np.inf, np.nan).add_prefix("median_")
    found.insert(0, "customers", groups.size())
    found.insert(1, "customer_share", found["customers"] / len(frame))
    total = rows["revenue"].sum()
    found.insert(2, "revenue_share", groups["revenue"].sum() / total if total > 0 else 0.0)
    return found.reset_index().sort_values(["revenue_share", "segment_id"], ascending=[False, True], ignore_index=True)


def statements(found: pd.DataFrame, moved: pd.DataFrame) -> list[str]:
    """Return a sentence for each row of `profiles`.

    Parameters
    ----------
    moved : DataFrame
        Indexed by segment_id: ``moved_in`` and ``moved_out`` since the last time.
    """
    moves = moved.reindex(found["segment_id"], fill_value=0)
    return [
        f"{row.segment_name}: {row.customers:,} customer{'' if row.customers == 1 else 's'}{_rhythm(row)}, "
        f"{row.revenue_share:.0%} of revenue; moved in {into:,}, moved out {out:,}"
        for row, into, out in zip(found.itertuples(), moves["moved_in"], moves["moved_out"], strict=True)
    ]


def _rhythm(row: object) -> str:
    gap, recency = row.median_mean_gap_days, row.median_recency_days  # type: ignore[attr-defined]
    if not np.isnan(gap):
        return f", buy every {max(round(gap), 1)} days"
    return "" if np.isnan(recency) else f", bought {round(recency)} days ago"


def choice_chart(segmentation: Segmentation) -> bytes:
    """Draw silhouette and stability of every candidate as PNG; the chosen number of segments is marked."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True)
    for axes, measure in zip(panels, ("silhouette", "stability"), strict=True):
        for method, colour in COLOURS.items():
            tried = [it for it in segmentation.candidates if it.method == method]
            axes.plot([it.segments for it in tried], [getattr(it, measure) for it in tried], color=colour, linewidth=1)
            for is_open, fill in ((True, colour), (False, "white")):
                some = [it for it in tried if (not it.objection) == is_open]
                label = f"{method}, {'holds' if is_open else 'does not hold'}" if some else None
                _points(axes, some, measure, colour, fill, label)
        if segmentation.method != "none":
            axes.axvline(len(segmentation.segments), color="black", linewidth=0.8, linestyle=":")
        axes.set(title=measure.capitalize(), xlabel="number of segments")
        axes.spines[["top", "right"]].set_visible(False)
    if segmentation.candidates:
        panels[0].legend(frameon=False, fontsize=8)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    return stream.getvalue()


def _points(axes: Axes, some: list[Candidate], measure: str, colour: str, fill: str, label: str | None) -> None:
    axes.scatter(
        [it.segments for it in some],
        [getattr(it, measure) for it in some],
        edgecolors=colour,
        facecolors=fill,
        label=label,
        zorder=3,
    )
