"""Process models of materials, one file each, and what they are made of."""
