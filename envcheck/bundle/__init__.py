"""A run or a recipe in one file, for a machine without network: what goes in, how it is read, and used."""
