"""The teacher's most likely tokens, stored with the rows."""
