"""Dataset versions: immutable, numbered by what changed, with their lineage."""

from datagen.publish.local import Version, resolve, verify, versions_of

__all__ = ["Version", "resolve", "verify", "versions_of"]
