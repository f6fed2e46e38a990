"""The two ways in which matopt stops, each with one line that says what is wrong and what to do."""


class InputError(ValueError):
    """What was given cannot be used: a file, a setting, a path. The command line exits with 2."""


class FailureError(RuntimeError):
    """What was given is right but the work cannot be done: a full disk, a silent server. Exits with 1."""
