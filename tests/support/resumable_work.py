"""A program that counts to ten, saves after every step, and continues where it stopped; like a training in small.

    python resumable_work.py FILE

With FILE.hold it waits at five until that is removed. SIGTERM ends it with exit code 3.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path


def main() -> None:
    output = Path(sys.argv[1])
    hold = Path(f"{output}.hold")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    done = output.read_text().split() if output.exists() else []
    print(f"starts at {len(done)}", flush=True)
    for number in range(len(done), 10):
        while number == 5 and hold.exists():
            time.sleep(0.01)
        done.append(str(number**2))
        temporary = Path(f"{output}.tmp")
        temporary.write_text(" ".join(done))
        temporary.replace(output)


if __name__ == "__main__":
    main()
