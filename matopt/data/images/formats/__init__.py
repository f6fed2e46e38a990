"""The formats that images are stored in, one file a format."""
