"""From a command line to a checked configuration, and what it will read and write. Without torch."""
