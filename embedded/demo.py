"""`make demo`: the incident of examples/, or the same path on events of your own, on a stack that ends with it."""

import sys
from pathlib import Path

from embedded import stack
from embedded.datafile import read
from embedded.load import Load
from embedded.narration import Narrator
from embedded.shown_command import performed
from embedded.story import Story

TRY_NEXT = """\
make up                      # a stack that stays; make down stops it and keeps its state
. .retrace/local.env         # its address and a key, as shell variables
signed() { curl -sS --aws-sigv4 "aws:amz:$AWS_REGION:execute-api" \\
  --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" "$@"; echo; }
signed "$RETRACE_URL/ingest" -H 'Content-Type: application/x-ndjson' \\
  --data-binary @examples/shop-day/day.ndjson
signed "$RETRACE_URL/replay" -H 'Content-Type: application/json' -d '{"entity_id": "depot-lyon",
  "start_time": "2025-11-28T00:00:00Z", "end_time": "2025-11-29T00:00:00Z"}'
signed "$RETRACE_URL/aggregates?day=2025-11-28&entity_id=depot-lyon"

make demo DATA=events.ndjson.gz    # the same path on events of your own
make local                         # the code of the checkout, reloaded as you change it"""


def _tell(narrator: Narrator, path: Path | None) -> None:
    lines = read(path) if path is not None else []
    narrator.title(f"Retrace, with {path.name}" if path else "Retrace: Black Friday at a small shop")
    narrator.step("A stack of its own, on this machine: MiniStack as AWS, the packaged application on it")
    with stack.started(tell=narrator.doing) as running:
        if path is None:
            Story(running, narrator).tell()
        else:
            Load(running, narrator, lines).run()
    narrator.end("All figures held; the stack is stopped and gone. What to try next")
    narrator.verbatim(TRY_NEXT)


if __name__ == "__main__":
    sys.exit(performed("demo", __doc__, _tell))
