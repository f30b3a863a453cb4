"""What a teacher or a student is shown: one renderer for generation, training and evaluation."""
