"""A run as one HTML page: what was kept, what was left out and why, and what the rows say."""
