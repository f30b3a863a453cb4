"""Instructions: Self-Instruct, Evol-Instruct, Magpie, and responses to any instruction set."""
