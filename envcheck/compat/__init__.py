"""What fits: tables of drivers, GPUs and torch builds, and pure rules over them."""
