"""The metrics that trials and evaluations are judged by, one file each."""
