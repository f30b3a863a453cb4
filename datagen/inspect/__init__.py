"""Show a run as one HTML page: accepted rows, and rejected rows with their reasons."""
