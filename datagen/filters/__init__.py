"""Filters: they find texts that are not new, duplicates, benchmark questions and poor responses."""
