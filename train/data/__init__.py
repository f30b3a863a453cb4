"""From dataset versions to what a trainer reads."""
