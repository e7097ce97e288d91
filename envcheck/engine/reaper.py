"""Removes a container when the envcheck that runs it has gone without doing so: killed, or out of memory.

A program of its own: `python reaper.py URL CONTAINER [SEARCH PATH ...]` waits on its standard input, which
ends with its parent. A parent that has cleared up itself says so first. Imports nothing before it is needed.
"""

import sys


def main() -> None:
    """Wait for the parent's end, and clear up after it."""
    url, container, *path = sys.argv[1:]
    if sys.stdin.read():
        return
    sys.path[:] = path
    import docker  # noqa: PLC0415 - a quarter of a second, while a stage starts, for a case that never comes

    docker.APIClient(base_url=url).remove_container(container, force=True, v=True)


if __name__ == "__main__":
    main()
