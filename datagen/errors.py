"""The family of errors that this project raises.

DatagenError
    UserError             bad input, or something that must be there is missing
    TeacherError          a teacher did not answer one request
        ContextExceeded   the text is longer than the teacher's context
        Refused           the teacher will never take this request
        Unavailable       no answer after all attempts; a later attempt may succeed
"""

import errno

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of an OSError if nothing more can be written."""


class DatagenError(Exception):
    """The root of the family. The message is one line: what, where, what to do.

    Commands print the message and exit with `status`.

    Example:
        >>> import datagen
        >>> issubclass(datagen.UserError, datagen.DatagenError)
        True
    """

    status = 1


class UserError(DatagenError):
    """Bad input or a missing precondition. The command stops.

    Example:
        >>> import datagen
        >>> try:
        ...     datagen.connect("nobody")
        ... except datagen.UserError as error:
        ...     print(str(error).partition(":")[0])
        unknown teacher 'nobody'
    """

    status = 2


class NoChatTemplate(UserError):
    """A model without a chat template is asked with chat turns."""


class EngineDied(UserError):
    """The engine of a teacher has died, and this process cannot start it again.

    A Ray worker ends itself on this error, so that Ray starts a new worker.
    """


class TeacherError(DatagenError):
    """The teacher did not answer one request. Its row is rejected as failed, and the run continues.

    Example:
        >>> import datagen
        >>> issubclass(datagen.TeacherError, datagen.DatagenError)
        True
    """


class ContextExceeded(TeacherError):
    """The text is longer than the teacher's context. A shorter prompt may fit."""


class Refused(TeacherError):
    """The teacher will never take this request, however often it is asked."""

    def __init__(self, message: str, *, status: int = 0):
        """Args:
        message: One line that says why.
        status: The HTTP status of an endpoint's reply; 0 where there is none.
        """
        super().__init__(message)
        self.status = status


class Unavailable(TeacherError):
    """There was no answer after all attempts. The same request may be answered later."""
