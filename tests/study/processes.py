"""Processes of this machine, as /proc shows them; any of them may end while it is looked at."""

from pathlib import Path


def descendants(pid):
    """The process and all that it started, and these, by number."""
    family = {pid}
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        for child in read(thread / "children").split():
            family |= descendants(int(child))
    return family


def command(pid):
    """The command line; empty of a process that is gone."""
    return read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ")


def read(path):
    try:
        return path.read_text()
    except OSError:
        return ""
