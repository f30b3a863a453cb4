"""The Python API: one function a command, and the objects that they return."""
