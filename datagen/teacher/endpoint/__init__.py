"""An OpenAI-compatible endpoint: what it is asked, how often, how fast, and what it replied."""
