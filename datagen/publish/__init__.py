"""Dataset versions: immutable, numbered by what changed, with their lineage."""
