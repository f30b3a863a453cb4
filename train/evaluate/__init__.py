"""Measuring base, students and teacher on held-out questions: accuracy and the gap closed."""
