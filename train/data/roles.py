"""The roles that rows have in a batch."""

from __future__ import annotations

LEARNED = 0
"""The row is learned as it is."""
LABEL = 1
"""The direct answer to the question of a learned row."""
WRONG = 2
"""A rationale of the same question that ends with a wrong answer."""
CANDIDATE = 3
"""A demonstration before the query of a learned row, to be scored."""
