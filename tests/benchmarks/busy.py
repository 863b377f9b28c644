"""Run a command while something else keeps one core busy, as on real machines.

    python tests/benchmarks/busy.py python tests/benchmarks/speed.py all FOLDER

Exits with the status of the command. A stage that takes more than twice as long as on an idle machine of two
cores has threads that wait for each other.
"""

import multiprocessing
import subprocess
import sys


def spin() -> None:
    """Occupy a core until the process is terminated."""
    while True:
        pass


def main() -> int:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    load = multiprocessing.get_context("spawn").Process(target=spin, daemon=True)
    load.start()
    try:
        return subprocess.run(sys.argv[1:], check=False).returncode
    finally:
        load.terminate()
        load.join()


if __name__ == "__main__":
    sys.exit(main())
