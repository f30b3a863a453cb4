"""Find the answer of each type: in the text after a trigger, and in a text without one."""
