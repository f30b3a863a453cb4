"""The client of the Hub, its retries, and its failures in plain words.

Nothing here prints the address or the headers of a request: they may hold a token or a signature.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from datagen.errors import UserError
from datagen.secrets import Secrets
from datagen.terminal import show

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")

WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Seconds before each further attempt. In all half a minute: a restart of the Hub's server or a
burst of other clients is over by then, and a person still waits."""
TEMPORARY = {408, 409, 412, 423, 429}
"""Statuses below 500 that may go away: time-out, conflict, lock, too many requests. A 412 means
that another publisher committed first."""
LONGEST_MESSAGE = 200
"""Characters of a message of the server or the client that an error repeats: about two lines."""
OFFLINE = (
    "HF_HUB_OFFLINE is set, and {name} is looked up on the Hub: unset it, or `datagen pull` it "
    "before"
)
NO_XET = (
    "the upload to {name} failed in Xet, the Hub client's way for large files, which this server "
    "may not offer: set HF_HUB_DISABLE_XET=1, and give the same command again"
)
NO_TOKEN = "no token for the Hub: log in with `hf auth login`, or set HF_TOKEN"
UNKNOWN_TOKEN = (
    "the Hub does not know this token: log in again with `hf auth login`, or set HF_TOKEN"
)


def connect(name: str, *, write: bool = False) -> HfApi:
    """Return a client of the Hub whose address is HF_ENDPOINT.

    Args:
        name: the repository that the client is for. Error messages name it.
        write: whether the caller will write. If so, the token is tried at once.

    Raises:
        UserError: the token is missing or unknown, or the Hub cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils import disable_progress_bars, logging

    # the client's warnings contain signed addresses
    logging.set_verbosity_error()
    if not sys.stderr.isatty():
        disable_progress_bars()

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, library_name="emergent-distill")
    if write:
        retry(api.whoami, name)
    return api


def retry(action: Callable[[], T], name: str) -> T:
    """Return the result of an action, and try it again after temporary failures.

    Args:
        action: what to do. It must read the repository's state anew at each attempt, because a
            failed attempt may have changed it.
        name: the repository, for messages.

    Raises:
        UserError: the failure is permanent, or the last attempt failed too.
    """
    from huggingface_hub.utils import httpx

    # the client wraps failures in these types; an error of ours is a UserError and passes through
    expected = (httpx.HTTPError, OSError, RuntimeError, ValueError)

    for wait in (*WAITS, None):
        try:
            return action()
        except expected as error:
            if wait is None or not is_temporary(error):
                raise UserError(explain(error, name)) from None
            # two publishers at once are normal: a message would only frighten
            if status_of(error) != 412:
                show(f"{explain(error, name)}; again in {wait:g} s", error=True)
        time.sleep(wait)
    raise AssertionError


def is_temporary(error: Exception) -> bool:
    """Return whether the same action may succeed later."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    status = status_of(error)
    if status is not None:
        return status in TEMPORARY or status >= 500

    # the Hub did not give a file, and the client dropped the reason
    if isinstance(error, LocalEntryNotFoundError):
        return True
    # the client raises a plain RuntimeError when an upload breaks off
    return is_transport_error(error) or type(error) is RuntimeError


def is_transport_error(error: Exception) -> bool:
    """Return whether the Hub could not be reached, or the connection broke."""
    from huggingface_hub.utils import httpx

    return any(isinstance(cause, httpx.TransportError) for cause in causes(error))


def is_xet_error(error: Exception) -> bool:
    """Return whether an upload through Xet failed. Its library raises these plain types."""
    from importlib.util import find_spec

    from huggingface_hub import constants

    is_on = not constants.HF_HUB_DISABLE_XET and find_spec("hf_xet") is not None
    of_library = "Xet" in type(error).__name__ or type(error) in (ConnectionError, RuntimeError)
    return is_on and of_library


def causes(error: BaseException) -> list[BaseException]:
    """Return the error and the errors that caused it, the latest first.

    The client wraps a failed upload in a RuntimeError and a failed look-up in an OSError.
    """
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__
    return found


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status of an error, or None if no response came."""
    responses = [getattr(cause, "response", None) for cause in causes(error)]
    return next((response.status_code for response in responses if response is not None), None)


def explain(error: Exception, name: str) -> str:
    """Return one line that says what failed and what to do.

    Args:
        error: what the client raised.
        name: the repository.
    """
    from huggingface_hub.errors import (
        LocalTokenNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    if any(isinstance(cause, OfflineModeIsEnabled) for cause in causes(error)):
        return OFFLINE.format(name=name)
    if isinstance(error, LocalTokenNotFoundError):
        return NO_TOKEN

    # a gated repository comes as 403 and as a missing repository, so 403 is tested first
    status = status_of(error)
    if status == 403:
        return f"the Hub lets this token not write to {name}: check whose it is and what it may do"
    if isinstance(error, RepositoryNotFoundError):
        return f"no {name} on the Hub, or it is private and the token may not read it"
    # a missing repository can come as 401 too, so the token is blamed only here
    if status == 401:
        return UNKNOWN_TOKEN
    if status is not None:
        message = one_line(getattr(error, "server_message", None) or "")
        return f"the Hub answered {status} for {name}{': ' + message if message else ''}"
    return explain_without_status(error, name)


def explain_without_status(error: Exception, name: str) -> str:
    """Return the line for an error that came without a response of the Hub."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    if is_transport_error(error):
        return f"the Hub could not be reached for {name} ({type(error).__name__})"
    if isinstance(error, LocalEntryNotFoundError):
        return f"the Hub did not give a file of {name}"
    if is_xet_error(error):
        return NO_XET.format(name=name)
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error.strerror}"

    # only a ValueError is safe to repeat: other messages may contain a signed address
    message = ": " + one_line(error) if isinstance(error, ValueError) else ""
    return f"the Hub's client failed for {name} ({type(error).__name__}){message}"


def one_line(message: object) -> str:
    """Return a message on one line without secrets, cut after `LONGEST_MESSAGE` characters."""
    from huggingface_hub import get_token

    # the token of `hf auth login` is in a file, not in a variable
    text = Secrets(keys=[get_token() or ""]).message(str(message))
    return " ".join(text.split())[:LONGEST_MESSAGE]
