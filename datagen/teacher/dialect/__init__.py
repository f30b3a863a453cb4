"""How servers differ: the fields that they take, the shapes of their replies and errors."""
