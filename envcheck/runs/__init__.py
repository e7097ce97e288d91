"""What happened: run folders and their records."""
