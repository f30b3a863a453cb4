"""Prompts: templates by language, and the one way to write questions and episodes."""
