"""Print how much memory and time each chapter takes while it is executed: its kernel, and the processes that its fits start.

    python tools/memory.py [chapters/topics.ipynb ...]

One chapter after the other, with one thread each; nothing is stored. What a student needs on a hub is the kernel's peak and
some 160 MB for the Jupyter server; LOKY_MAX_CPU_COUNT=1 leaves out the other processes.
"""

import sys
import threading
import time
from pathlib import Path

import psutil
from execute import settle_environment
from nbclient import NotebookClient

import chapters

SECONDS = 0.2  # between two looks at the processes


def peaks(path):
    """Execute a notebook; return the largest memory in bytes of its kernel, and of all others that it started, taken together."""
    client = NotebookClient(
        chapters.read(path),
        timeout=1800,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    done = threading.Event()
    largest = {"kernel": 0, "others": 0}

    def look():
        while not done.wait(SECONDS):
            processes = [each for each in psutil.Process().children(recursive=True) if each.is_running()]
            taken = {"kernel": 0, "others": 0}
            for process in processes:
                try:
                    taken["kernel" if process.ppid() == psutil.Process().pid else "others"] += process.memory_info().rss
                except psutil.Error:
                    pass  # it has ended meanwhile
            largest.update({kind: max(most, taken[kind]) for kind, most in largest.items()})

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        client.execute()
    finally:
        done.set()
        watcher.join()
    return largest["kernel"], largest["others"]


if __name__ == "__main__":
    settle_environment()
    print("| Chapter | kernel, MB | processes of its fits, MB | seconds |\n|---|---|---|---|")
    for path in [Path(argument).resolve() for argument in sys.argv[1:]] or chapters.notebooks():
        began = time.monotonic()
        kernel, others = peaks(path)
        print(f"| {path.stem} | {kernel / 1e6:.0f} | {others / 1e6:.0f} | {time.monotonic() - began:.0f} |", flush=True)
