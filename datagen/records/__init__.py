"""Frozen records of runs, versions, students and reports, with one serialisation.

A record is read from JSON and written to JSON by `datagen.records.serialise` alone. Reading checks
it: a damaged file is an error that names the file and what is wrong.
"""

from datagen.records.config import RunConfig, SourceRecord, TeacherRecord
from datagen.records.lineage import Lineage, RunLineage
from datagen.records.report import Estimate, ReportRecord
from datagen.records.stats import RunStats
from datagen.records.student import StudentLineage

__all__ = [
    "Estimate",
    "Lineage",
    "ReportRecord",
    "RunConfig",
    "RunLineage",
    "RunStats",
    "SourceRecord",
    "StudentLineage",
    "TeacherRecord",
]
