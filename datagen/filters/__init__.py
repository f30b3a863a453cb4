"""What is not worth keeping: texts that are not new, near duplicates, benchmark questions, poor
responses.
"""
