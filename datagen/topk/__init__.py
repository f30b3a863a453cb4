"""The teacher's most probable tokens, stored for rows of a finished run or version."""
