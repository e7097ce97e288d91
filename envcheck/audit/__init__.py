"""Whether a recipe keeps what it promises, check by check."""
