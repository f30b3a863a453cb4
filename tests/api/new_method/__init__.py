"""A new method as somebody outside this project would write it: settings, prompt, algorithm."""
