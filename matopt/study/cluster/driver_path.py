"""Where the processes of a cluster import from: the same places as the driver, whatever lies in the working directory.

Ray would put the driver's working directory before everything else in the others' search path. A folder ``matopt/`` in
it, a clone's say, or a file ``random.py``, would then be imported there and not in the driver.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from pathlib import Path

from ray.job_config import JobConfig

import matopt


class DriverPath(JobConfig):
    """The configuration of a Ray job whose processes search the driver's folders alone, in the driver's order."""

    def __init__(self) -> None:
        # Each is put before the one that came before it.
        super().__init__(_py_driver_sys_path=driver_path()[::-1])

    def _runtime_env_has_working_dir(self) -> bool:
        return True  # so that Ray does not add the working directory and the script's


def driver_path() -> list[str]:
    """List the folders in which this process looks for modules, but those of the interpreter, which others have too."""
    entries = [str(Path(entry).resolve()) for entry in sys.path]  # the empty one is the working directory
    prefixes = tuple(Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix))
    own = [entry for entry in entries if not any(Path(entry).is_relative_to(prefix) for prefix in prefixes)]
    spec = PathFinder.find_spec("matopt", list(dict.fromkeys([*own, *entries])))
    if spec is None or spec.origin is None or Path(spec.origin).resolve() != matopt_file():
        own.insert(
            0, str(matopt_file().parents[1])
        )  # the working directory has changed, or an installer's hook led here
    return list(dict.fromkeys(own))


def matopt_file() -> Path:
    """The file that this process has imported as matopt."""
    return Path(str(matopt.__file__)).resolve()
