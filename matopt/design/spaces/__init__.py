"""The spaces that designs are searched in, one file each."""
