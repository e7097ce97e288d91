"""What somebody's repository asks for: its files found and read, nothing of it executed, nothing judged."""
