"""Extract answers from chains of thought, compare them, vote on them, and check equations.

The methods and the evaluation use this same package. So the rule that filtered the data is also
the rule that measures the student.
"""

from datagen.answers.equality import equal
from datagen.answers.equations import equation_validity, equations
from datagen.answers.extract import ANSWER_TYPES, extract
from datagen.answers.vote import Vote, settled, vote

__all__ = [
    "ANSWER_TYPES",
    "Vote",
    "equal",
    "equation_validity",
    "equations",
    "extract",
    "settled",
    "vote",
]
