"""The roles that rows have in a batch."""

from __future__ import annotations

LEARNED = 0
"""The student learns the completion of the row."""
LABEL = 1
"""The direct answer to the question of a learned row."""
WRONG = 2
"""A rationale of the same question that ends with a wrong answer."""
CANDIDATE = 3
"""The query of a learned row after one candidate demonstration, which the student scores."""
