"""What a chain answers: extraction, equality, voting, and the equations on the way.

Generators and evaluation use this one package, so that what filtered the data is what measures
the student.
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
