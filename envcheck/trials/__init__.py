"""What a doctor does beside looking: the proof in the environment, NVIDIA's tests, steps of a plan."""
