"""Demonstrations: task pools, selection, and episodes that teach a student in-context learning.

Source: Meta-ICT and Multitask-ICT, arXiv 2212.10670; context distillation, arXiv 2209.15189.
"""
