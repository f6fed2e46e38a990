"""The samplers that choose the points of a search, one file each."""
