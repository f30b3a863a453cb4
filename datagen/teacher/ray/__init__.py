"""A teacher on the workers of a Ray cluster."""
