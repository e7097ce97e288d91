"""What can be asked of pose, one module a stage, each with `run`; beside them what training needs."""
