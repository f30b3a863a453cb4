"""Chains of thought: sampled several times for each question, filtered by gold answer or majority.

Source: self-consistency, arXiv 2203.11171; Fine-tune-CoT, arXiv 2212.10071; STaR, arXiv 2203.14465.
"""
