"""Measure what came across: accuracy of base, students and teacher on held-out questions, with
intervals, and the gap closed.
"""
