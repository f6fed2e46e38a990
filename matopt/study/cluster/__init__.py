"""Ray: the cluster, the actors on it, and the work they are given."""
