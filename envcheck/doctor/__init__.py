"""What is wrong: pure checks over a machine's facts, and the one cause that explains the others."""
