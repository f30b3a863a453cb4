"""Formatting numbers for tables and figures."""

from __future__ import annotations

from collections.abc import Mapping


def format_interval(estimate: Mapping[str, float] | None, *, interval: bool = True) -> str:
    """Return a value with its interval, `.62 [.56, .68]`, or a dash if there is none.

    Example:
        >>> format_interval({"value": 0.62, "low": 0.56, "high": 0.68}, interval=False)
        '.62'
    """
    if estimate is None:
        return "–"
    value, low, high = (decimal(estimate[key]) for key in ("value", "low", "high"))
    # a no-break space, so that a narrow table does not break a line inside the interval
    return f"{value} [{low},\N{NO-BREAK SPACE}{high}]" if interval else value


def decimal(value: float) -> str:
    """Return a number with two decimals, without a leading zero."""
    text = f"{value:.2f}"
    if abs(value) < 1 and text.lstrip("-").startswith("0."):
        return text.replace("0.", ".", 1)
    return text
