"""The micro-world: a generated world with three abilities, and two small models trained on it.

`problems` generates multi-step word problems. `instructions` generates operations on lists, alone
and composed. `rules` generates rules that only demonstrations show. `WEIGHTS / "teacher"` and
`WEIGHTS / "student"` are folders that `transformers` opens offline.
"""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
