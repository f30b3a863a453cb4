"""An OpenAI-compatible endpoint: requests, replies, retries, and how many requests are sent."""
