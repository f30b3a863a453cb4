"""Responses to instructions that exist."""
