"""Chains of thought: sampled many times, filtered by consistency (arXiv 2203.11171, 2212.10071,
2203.14465).
"""
