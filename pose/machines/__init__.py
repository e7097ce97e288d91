"""The devices and the processes that a stage works on, and the proof that they compute."""
