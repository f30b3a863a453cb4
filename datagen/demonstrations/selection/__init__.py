"""Choosing demonstrations for a query."""
