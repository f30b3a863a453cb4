"""Magpie: an aligned model is given its own chat template and writes the instruction too."""
