"""What spreads the stages over a Ray cluster, searches with Optuna and tracks with MLflow."""
