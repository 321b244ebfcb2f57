"""Charts of the owners' pages, in Altair; each takes plain rows and follows the page's light or dark theme."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

    from ragvoice.evaluation.reports import SetSummary

_ROW_PX = 26


def figures(summary: SetSummary, names: Iterable[str]) -> alt.LayerChart | alt.FacetChart:
    """One bar a measure with its 95 % interval, in the order of `names`; those that the set has not are left out."""
    import altair as alt

    rows = [{"measure": words(name), **summary.scores[name]} for name in names if name in summary.scores]
    order = [str(row["measure"]) for row in rows]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("measure:N", sort=order, title=None, axis=alt.Axis(labelLimit=220)),
        tooltip=["measure:N", alt.Tooltip("value:Q", format=".3f"), alt.Tooltip("low:Q", format=".3f"),
                 alt.Tooltip("high:Q", format=".3f"), "n:Q"],
    )  # fmt: skip
    scale = alt.Scale(domain=[0, 1])
    bars = base.mark_bar(height=14, opacity=0.8).encode(
        x=alt.X("value:Q", scale=scale, title=None, axis=alt.Axis(tickCount=5))
    )
    spans = base.mark_rule(strokeWidth=2, color="#888").encode(x="low:Q", x2="high:Q")
    return alt.layer(bars, spans).properties(height=_ROW_PX * max(1, len(rows)))


def trend(summaries: Sequence[SetSummary], names: Iterable[str]) -> alt.LayerChart | alt.FacetChart:
    """Lines over time, one a measure, with bands of the 95 % intervals."""
    import altair as alt

    rows = [
        {"when": summary.created, "measure": words(name), **summary.scores[name]}
        for name in names
        for summary in summaries
        if name in summary.scores
    ]
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=alt.X("when:T", title=None), color=_colour("measure"))
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", title=None), y2="high:Q")
    line = base.mark_line(point=True).encode(
        y=alt.Y("value:Q", title=None), tooltip=["measure:N", "when:T", alt.Tooltip("value:Q", format=".3f"), "n:Q"]
    )
    return alt.layer(band, line).properties(height=280)


def curves(metrics: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> alt.Chart:
    """Lines over the steps of a training.

    :param names: Field of a row -> what it is called in the legend; rows without the field are left out.
    """
    import altair as alt

    rows = [
        {"step": row["step"], "curve": name, "value": row[field]}
        for field, name in names.items()
        for row in metrics
        if row.get(field) is not None
    ]
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(point=len(rows) < 60)
        .encode(
            x=alt.X("step:Q", title="step"),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
            color=_colour("curve"),
            tooltip=["curve:N", "step:Q", alt.Tooltip("value:Q", format=".3f")],
        )
        .properties(height=260)
    )
    return chart


def _colour(field: str) -> alt.Color:
    """Told apart on light and dark; the theme's own colours are shades of two."""
    import altair as alt

    return alt.Color(
        f"{field}:N",
        title=None,
        scale=alt.Scale(scheme="tableau10"),
        legend=alt.Legend(orient="bottom", columns=2, symbolOpacity=1),
    )


def words(measure: str) -> str:
    """`refused answerable` for `refused_answerable`"""
    return measure.replace("_", " ")
