"""Images in and labels kept: reading and writing files, windows and splits, sources, the store of labels."""
