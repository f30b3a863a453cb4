"""The micro-world: a procedural world with three abilities, and two small models trained on it from
scratch.

`problems` holds multi-step word problems, `instructions` operations on lists, alone and composed,
`rules` rules that only demonstrations show. `WEIGHTS / "teacher"` and `WEIGHTS / "student"` are
folders that `transformers` opens offline.
"""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
