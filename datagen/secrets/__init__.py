"""The secrets of this process: which values they are, and texts and addresses without them.

Every text that a server sends goes through `Secrets` before any other code reads it. Every address
that is shown or stored goes through `public_url`.
"""

from datagen.secrets.address import public_url
from datagen.secrets.redact import Secrets

__all__ = ["Secrets", "public_url"]
