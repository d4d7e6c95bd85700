"""What runs the steps of a run outside of this process: the engines that Dagster knows, each by a setting."""
