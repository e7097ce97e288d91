"""What is here: the facts of a machine, read and never judged. `probe.probe()` returns them all."""
