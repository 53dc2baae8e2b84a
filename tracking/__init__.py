"""Where the numbers of a run go: CSV, W&B and its dashboards."""
