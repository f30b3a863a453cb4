"""Engines that load a model's weights on this machine."""
