"""What the physics is known to obey, as constraints that a model can be measured by and trained for."""
