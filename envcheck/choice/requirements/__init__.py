"""What the files of somebody else's repository ask for; one module for each format."""
