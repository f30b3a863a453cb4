"""Demonstrations: task pools, selection, and episodes that carry in-context learning (arXiv
2212.10670, 2209.15189).
"""
