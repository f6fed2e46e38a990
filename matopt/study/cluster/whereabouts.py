"""What a process of a cluster finds: the storage folder, and which matopt. Ray carries this file's text to it.

Nothing of matopt is imported here, as it may be another one there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Whereabouts:
    """What a process finds.

    Attributes:
        token: what a probe file holds; None where there is no such file.
        trouble: why the bucket that the file should be copied from cannot be had, where the storage is one.
        file: what it imports as matopt; None where that is an empty folder, or nothing.
        version: of that.
        code: a hash of its science, as far as it has one.
    """

    token: str | None
    file: str | None
    version: str | None
    code: str | None
    trouble: str = ""


def look(probe: str | None, with_code: bool) -> Whereabouts:
    """Look at the file ``probe``, import matopt, and hash its science ``with_code``, which takes seconds."""
    file = None if probe is None else Path(probe)
    token = file.read_text() if file is not None and file.is_file() else None
    try:
        import matopt
    except Exception:
        return Whereabouts(token, None, None, None)
    code, trouble = None, ""
    if file is not None and token is None:
        try:
            from matopt.buckets.copies import fetch

            token = file.read_text() if fetch(file) else None
        except Exception as error:
            trouble = str(error)
    if with_code:
        try:
            from matopt.provenance import code_version

            code = code_version()
        except Exception:
            pass
    return Whereabouts(
        token, getattr(matopt, "__file__", None), getattr(matopt, "__version__", "without a number"), code, trouble
    )
