"""How numbers are written in tables and figures."""

from __future__ import annotations

from collections.abc import Mapping


def format_interval(estimate: Mapping[str, float] | None, *, interval: bool = True) -> str:
    """A value with its interval, `.62 [.56, .68]`; a dash where there is none.

    Example:
        >>> format_interval({"value": 0.62, "low": 0.56, "high": 0.68}, interval=False)
        '.62'
    """
    if estimate is None:
        return "–"
    value, low, high = (decimal(estimate[key]) for key in ("value", "low", "high"))
    return f"{value} [{low},\N{NO-BREAK SPACE}{high}]" if interval else value


def decimal(value: float) -> str:
    """A number with two decimals, without a leading zero."""
    text = f"{value:.2f}"
    if abs(value) < 1 and text.lstrip("-").startswith("0."):
        return text.replace("0.", ".", 1)
    return text
