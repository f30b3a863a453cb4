"""Run configurations for tests that look at nothing of them but the method."""

from datagen.records.config import RunConfig, SourceRecord, TeacherRecord


def config_of(method: str, **settings: object) -> RunConfig:
    """The configuration of a run that nobody asked for in earnest."""
    return RunConfig(
        method=method,
        code_version="0.0.0",
        teacher=TeacherRecord(name="none", identity="none"),
        source=SourceRecord(suite="none", hub=None, split=None, questions=1, sha256="00"),
        settings=settings,
        prompts={},
    )
