"""The networks, what they learn by, and the files that hold their weights."""
