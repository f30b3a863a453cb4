"""Self-Instruct: a teacher writes more tasks like the seeds."""
