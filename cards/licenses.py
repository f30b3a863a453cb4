"""The licence names that the Hub accepts in a card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

HUB_LICENSES = frozenset(
    {
        "afl-3.0",
        "agpl-3.0",
        "apache-2.0",
        "artistic-2.0",
        "bigcode-openrail-m",
        "bigscience-bloom-rail-1.0",
        "bigscience-openrail-m",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "bsd-3-clause-clear",
        "bsl-1.0",
        "c-uda",
        "cc",
        "cc-by-2.0",
        "cc-by-2.5",
        "cc-by-3.0",
        "cc-by-4.0",
        "cc-by-nc-2.0",
        "cc-by-nc-3.0",
        "cc-by-nc-4.0",
        "cc-by-nc-nd-3.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-2.0",
        "cc-by-nc-sa-3.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nd-4.0",
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "cc0-1.0",
        "cdla-permissive-1.0",
        "cdla-permissive-2.0",
        "cdla-sharing-1.0",
        "creativeml-openrail-m",
        "deepfloyd-if-license",
        "ecl-2.0",
        "epl-1.0",
        "epl-2.0",
        "etalab-2.0",
        "eupl-1.1",
        "gemma",
        "gfdl",
        "gpl",
        "gpl-2.0",
        "gpl-3.0",
        "isc",
        "lgpl",
        "lgpl-2.1",
        "lgpl-3.0",
        "lgpl-lr",
        "llama2",
        "lppl-1.3c",
        "mit",
        "mpl-2.0",
        "ms-pl",
        "ncsa",
        "odbl",
        "odc-by",
        "ofl-1.1",
        "openrail",
        "openrail++",
        "osl-3.0",
        "pddl",
        "postgresql",
        "unknown",
        "unlicense",
        "wtfpl",
        "zlib",
    }
)
"""The identifiers of https://huggingface.co/docs/hub/repositories-licenses. Newer ones may be
missing here."""


def license_fields(licenses: Sequence[str | None]) -> dict[str, Any]:
    """Return the YAML fields for the licences of several runs.

    There are no fields if a run states no licence. A licence that the Hub does not know becomes
    `other`, with its name in a field of its own.
    """
    # without a licence of every run, no licence holds for the whole dataset
    if not all(licenses):
        return {}
    names = list(dict.fromkeys(str(license) for license in licenses))
    known = list(dict.fromkeys(name if name in HUB_LICENSES else "other" for name in names))
    others = ", ".join(name for name in names if name not in HUB_LICENSES)
    return {"license": known[0] if len(known) == 1 else known} | (
        {"license_name": others} if others else {}
    )
