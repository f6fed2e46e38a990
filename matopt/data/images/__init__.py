"""From image files to grey levels to phases."""
