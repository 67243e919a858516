"""`make endurance`: a run of any length, which fails unless every promise was kept.

python -m tests.e2e.endurance [--minutes 30] [--share 0.3] [--seed 7] [--json FILE] [--write]

`--write` puts the counts into tests/README.md.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.e2e.endurance.report import as_json, as_table, write
from tests.e2e.endurance.run import Plan, prepared


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.endurance")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    seconds = asked.minutes * 60
    plan = Plan(seconds, share=asked.share, seed=asked.seed, epoch_s=min(60.0, seconds / 4))
    with tempfile.TemporaryDirectory() as logs, prepared(plan, Path(logs) / "workers.log") as run:
        counts = run()
    print(as_table(counts))
    if asked.json:
        asked.json.write_text(as_json(counts))
    if asked.write:
        write(counts)
    return 0 if counts.good else 1


if __name__ == "__main__":
    sys.exit(main())
