"""Image files: formats, grey levels, phases."""
