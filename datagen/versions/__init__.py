"""Reading published versions: numbers, lineage, files and hashes, in a store or on the Hub."""

from datagen.versions.local import resolve, verify, versions_of
from datagen.versions.version import Version

__all__ = ["Version", "resolve", "verify", "versions_of"]
