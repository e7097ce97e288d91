"""Where a command runs: containers, virtual environments and this interpreter, behind one small contract."""
