"""The one error that is for the person at the keyboard."""

import errno

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What an OSError says where nothing more can be written."""


class UserError(Exception):
    """Bad input or a missing precondition, in one line: what, where, what to do.

    Commands print it and exit with `status`.
    """

    status = 2
