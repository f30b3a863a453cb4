"""The one error that is for the person at the keyboard."""


class UserError(Exception):
    """Bad input or a missing precondition, in one line: what, where, what to do.

    Commands print it and exit with `status`.
    """

    status = 2
