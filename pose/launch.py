"""Starts the copy of pose beside it: copied there as `__main__.py`.

A folder with a `__main__.py` is a program to Python, and puts itself, not the working directory, on the
search path: a user's own `pose/` cannot shadow this one.
"""

import sys

from pose.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
