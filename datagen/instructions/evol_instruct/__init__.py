"""Evol-Instruct: a teacher rewrites instructions into harder or different ones."""
