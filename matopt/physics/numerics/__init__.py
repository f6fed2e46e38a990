"""What the solvers of several simulators share."""
