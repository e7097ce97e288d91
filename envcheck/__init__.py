"""Machine-learning environments that fit the machine, proved and recorded."""

__version__ = "0.1.0"
