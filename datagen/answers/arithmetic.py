"""Compute the two sides of an equation, and decide whether it holds."""

from __future__ import annotations

import math
import operator
import re

TOLERANCE = 1e-3
"""Relative difference within which two sides are equal. Chains round to a few digits
("10 / 3 = 3.333"), and an arithmetic slip is usually larger."""
COMPUTE = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
NEGATE = "~"
"""The unary minus. It has a symbol of its own, because it binds more tightly than the others."""
PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, NEGATE: 3}


def holds(left: str, right: str) -> bool:
    """Return whether both sides have the same value within the tolerance.

    "25%" is read as 0.25 or as 25, whichever makes the equation true.
    """
    return any(
        math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=1e-9)
        for a in readings(left)
        for b in readings(right)
    )


def readings(side: str) -> list[float]:
    """Return the values that a side may mean: two if it ends in a percent sign."""
    values = [evaluate(side)]
    if side.endswith("%"):
        values.append(evaluate(side[:-1]))
    return [value for value in values if value is not None and math.isfinite(value)]


def evaluate(side: str) -> float | None:
    """Return the value of a normalised side, or None if it has no value.

    This is the shunting-yard algorithm with two stacks. It needs no recursion, which a model could
    exhaust with brackets, and no `eval`.

    Example:
        >>> evaluate("2*(3+4)"), evaluate("1/0")
        (14.0, None)
    """
    values: list[float] = []
    waiting: list[str] = []
    before = "("
    try:
        for symbol in re.findall(r"[\d.]+%?|[-+*/()]", side):
            if symbol[0] in "0123456789.":
                values.append(float(symbol.rstrip("%")) / (100 if symbol.endswith("%") else 1))
            elif symbol in "+-" and before in "(+-*/":
                # A sign, not an operation: no operand stands before it.
                waiting += [NEGATE] * (symbol == "-")
            else:
                apply_waiting(values, waiting, symbol)
            before = symbol
        apply_waiting(values, waiting, "")
    # A side with unmatched brackets or missing operands empties a stack.
    except (IndexError, KeyError, ZeroDivisionError, OverflowError):
        return None

    return values[0] if len(values) == 1 and not waiting else None


def apply_waiting(values: list[float], waiting: list[str], symbol: str) -> None:
    """Compute the waiting operations that bind at least as tightly as the next symbol.

    Args:
        values: The stack of operands. It is changed.
        waiting: The stack of operations and opening brackets. It is changed.
        symbol: The next symbol, which then waits itself; "" at the end of the side.
    """
    if symbol == "(":
        waiting.append(symbol)
        return

    level = PRECEDENCE.get(symbol, 0)
    while waiting and waiting[-1] != "(" and PRECEDENCE[waiting[-1]] >= level:
        operation = waiting.pop()
        right = values.pop()
        result = -right if operation == NEGATE else COMPUTE[operation](values.pop(), right)
        values.append(result)

    if symbol == ")":
        # The opening bracket. If there is none, `pop` raises IndexError.
        waiting.pop()
    elif symbol:
        waiting.append(symbol)
