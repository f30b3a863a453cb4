"""The Hub's client, and what its failures mean.

Nothing here prints a request's address or headers: these may hold a token or a signature.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from datagen.errors import UserError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")

WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Seconds before each further attempt."""
PASSING = {408, 409, 412, 423, 429}
"""Statuses below 500 after which it is worth looking again; 412: another publisher committed
first."""
OFFLINE = (
    "HF_HUB_OFFLINE is set, and {name} is looked up on the Hub: unset it, or `datagen pull` it "
    "before"
)
NO_TOKEN = "no token for the Hub: log in with `hf auth login`, or set HF_TOKEN"


def connect(name: str, *, write: bool = False) -> HfApi:
    """A client for the Hub of HF_ENDPOINT. For writing the token is tried. Raises UserError."""
    from huggingface_hub import HfApi
    from huggingface_hub.utils import disable_progress_bars, logging

    logging.set_verbosity_error()  # its warnings name signed addresses
    if not sys.stderr.isatty():
        disable_progress_bars()
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, library_name="emergent-distill")
    if write:
        retried(api.whoami, name)
    return api


def retried(action: Callable[[], T], name: str) -> T:
    """The action's result, tried again after failures that may pass.

    Raises UserError where it stays without one.

    The action must look at the repository anew each time: what failed may have been done.
    """
    from huggingface_hub.utils import httpx

    for wait in (*WAITS, None):
        try:
            return action()
        except (httpx.HTTPError, OSError, RuntimeError, ValueError) as error:
            if wait is None or not passing(error):
                raise UserError(meaning(error, name)) from None
            if status(error) != 412:
                print(f"{meaning(error, name)}; again in {wait:g} s", file=sys.stderr)
        time.sleep(wait)
    raise AssertionError


def passing(error: Exception) -> bool:
    """Whether the same may succeed later."""
    from huggingface_hub.errors import LocalEntryNotFoundError
    from huggingface_hub.utils import httpx

    code = status(error)
    if code is not None:
        return code in PASSING or code >= 500
    if isinstance(
        error, LocalEntryNotFoundError
    ):  # a file that the Hub did not give, for a reason that it lost
        return True
    return (
        any(isinstance(cause, httpx.TransportError) for cause in causes(error))
        or type(error) is RuntimeError
    )


def causes(error: BaseException) -> list[BaseException]:
    """The error and what it came from: the client wraps a failed upload in a RuntimeError, a failed
    look-up in an OSError.
    """
    found: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in found:
        found.append(step)
        step = step.__cause__
    return found


def status(error: BaseException) -> int | None:
    """The HTTP status that an error came with."""
    responses = [getattr(cause, "response", None) for cause in causes(error)]
    return next((response.status_code for response in responses if response is not None), None)


def meaning(error: Exception, name: str) -> str:
    """A failure in one line."""
    from huggingface_hub.errors import (
        LocalEntryNotFoundError,
        LocalTokenNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )
    from huggingface_hub.utils import httpx

    code = status(error)
    if any(isinstance(cause, OfflineModeIsEnabled) for cause in causes(error)):
        return OFFLINE.format(name=name)
    if isinstance(error, LocalTokenNotFoundError):
        return NO_TOKEN
    if code == 403:
        return f"the Hub lets this token not write to {name}: check whose it is and what it may do"
    if isinstance(error, RepositoryNotFoundError):
        return f"no {name} on the Hub, or it is private and the token may not read it"
    if code == 401:
        return (
            "the Hub does not know this token: log in again with `hf auth login`, or set HF_TOKEN"
        )
    if code is not None:
        said = " ".join(str(getattr(error, "server_message", None) or "").split())[:200]
        return f"the Hub answered {code} for {name}{': ' + said if said else ''}"
    if any(isinstance(cause, httpx.TransportError) for cause in causes(error)):
        return f"the Hub could not be reached for {name} ({type(error).__name__})"
    if isinstance(error, LocalEntryNotFoundError):
        return f"the Hub did not give a file of {name}"
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error.strerror}"
    said = ": " + " ".join(str(error).split())[:200] if isinstance(error, ValueError) else ""
    return f"the Hub's client failed for {name} ({type(error).__name__}){said}"
