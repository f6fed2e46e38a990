"""What a study tells MLflow: spooled by any process, sent by one."""
