"""Room: mirror finished runs into MLflow."""
