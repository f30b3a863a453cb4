"""Conversations with a model: its chat template, and its reasoning before an answer."""
