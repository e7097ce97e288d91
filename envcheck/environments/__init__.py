"""Where a command runs: virtual environments and the interpreter at hand, behind one small contract."""
