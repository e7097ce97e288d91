"""What is wrong with a dataset, told as findings for `check-data`."""
