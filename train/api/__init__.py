"""The commands of `train` as functions, and what they return."""
