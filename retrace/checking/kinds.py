"""The kinds of differences: what each means, and what to do about it."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """The kinds of differences; `sentence` says what each means, `remedy` what to do."""

    OBJECT_CHANGED = "object-changed"
    FOREIGN_OBJECT = "foreign-object"
    LINE_CHANGED = "line-changed"
    LINE_DISAGREES = "line-disagrees"
    RAW_NOT_INDEXED = "raw-not-indexed"
    INDEX_MISSING = "index-missing"
    IDENTITY_MISSING = "identity-missing"
    INDEX_DIFFERS = "index-differs"
    IDENTITY_DIFFERS = "identity-differs"
    ROWS_DISAGREE = "rows-disagree"
    INDEX_TWICE = "index-twice"
    INDEX_WITHOUT_RAW = "index-without-raw"
    IDENTITY_ALONE = "identity-alone"
    CONTENT_UNDECIDED = "content-undecided"
    FIRST_MISSING = "first-missing"
    RECORD_CHANGED = "record-changed"
    LINE_SUPERSEDED = "line-superseded"
    INPUT_DIFFERS = "input-differs"
    INPUT_UNKNOWN = "input-unknown"
    VERSION_DIFFERS = "version-differs"
    VERSION_MISSING = "version-missing"
    VALUES_DIFFER = "values-differ"
    TOTAL_DIFFERS = "total-differs"
    DIGEST_CHANGED = "digest-changed"
    DIGEST_MISSING = "digest-missing"
    DIGEST_CHAIN_BROKEN = "digest-chain-broken"
    DIGEST_REWRITTEN = "digest-rewritten"
    DIGEST_DELAYED = "digest-delayed"
    DIGEST_BEHIND = "digest-behind"
    LISTED_CHANGED = "listed-changed"
    LISTED_MISSING = "listed-missing"
    OBJECT_HIDDEN = "object-hidden"
    OBJECT_OVERWRITTEN = "object-overwritten"
    OBJECT_UNLISTED = "object-unlisted"

    @property
    def sentence(self) -> str:
        """What is wrong."""
        return _TEXTS[self][0]

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return _TEXTS[self][1]


_LOST_BYTES = (
    "The bucket keeps every version: `aws s3api list-object-versions` shows who changed it and what it was. Do not"
    " replay it before it is put right."
)
_EDITED_ROW = (
    "The table was edited. Trust the raw line: delete the row, then run `retrace check audit --repair` to rewrite it."
)
_ADDED_BY_REPAIR = "Run `retrace check audit --repair` to write it from the raw line."
_ALL_VERSIONS = (
    "`aws s3api list-object-versions` shows what was there and when; CloudTrail, if it logs objects, who it was."
)
_REPLAY = "Trust the raw events: replay the day with `retrace replay create`, and do not use this version."

_TEXTS: dict[Kind, tuple[str, str]] = {
    Kind.OBJECT_CHANGED: (
        "Each line says what was hashed, yet the object's bytes are not those that its name was made from.",
        _LOST_BYTES,
    ),
    Kind.FOREIGN_OBJECT: (
        "The object is among raw objects, but Retrace does not write such a key.",
        "Find in CloudTrail who put it there, if it logs objects. Retrace does not read it, but Athena does.",
    ),
    Kind.LINE_CHANGED: (
        "The line no longer says what was hashed when it was taken in, or cannot be read.",
        _LOST_BYTES,
    ),
    Kind.LINE_DISAGREES: (
        "Index and identity agree with each other, and the raw line says otherwise where no hash covers it.",
        _LOST_BYTES,
    ),
    Kind.RAW_NOT_INDEXED: (
        "A raw line whose event has no rows, so no query finds it: its request never ended, or they were lost.",
        _ADDED_BY_REPAIR,
    ),
    Kind.INDEX_MISSING: (
        "The event is known, so sending it again is a DUPLICATE, and it has no index row: no query finds it.",
        _ADDED_BY_REPAIR,
    ),
    Kind.IDENTITY_MISSING: (
        "The event is in the index and has no identity row: GET /events/{event_id} does not find it.",
        f"{_ADDED_BY_REPAIR} If identities expire, say so: --identity-ttl-days.",
    ),
    Kind.INDEX_DIFFERS: (
        "The index row differs from the raw line.",
        f"{_EDITED_ROW} If it is type_day, late_day or lag: was --shards or --late-after-s another when it was taken?",
    ),
    Kind.IDENTITY_DIFFERS: ("The identity row differs from the raw line.", _EDITED_ROW),
    Kind.ROWS_DISAGREE: (
        "Index and identity point at different raw lines of the same event.",
        "Both lines are intact. Delete the later one's row, then run `retrace check audit --repair` to rewrite it.",
    ),
    Kind.INDEX_TWICE: (
        "The event has a second index row, of another time or entity, that its identity does not know.",
        "If identities expire, this is expected: give --identity-ttl-days. If not, delete the row.",
    ),
    Kind.INDEX_WITHOUT_RAW: (
        "The index row points at a missing raw line: the event itself cannot be read.",
        "Look for a delete marker with `aws s3api list-object-versions`. The row is only reported, never deleted.",
    ),
    Kind.IDENTITY_ALONE: (
        "The identity row has neither raw line nor index row: sent again, the event would be a DUPLICATE of nothing.",
        "Look for its object with `aws s3api list-object-versions`. The row is only reported, never deleted.",
    ),
    Kind.CONTENT_UNDECIDED: (
        "Raw lines of one identity have different content, and nothing records which one was acknowledged.",
        "Follow docs/operations.md#undecided-content. Ask the producer which content was answered 201.",
    ),
    Kind.FIRST_MISSING: (
        "The line that had the rows is missing or damaged. The other lines of its identity were refused, and got none.",
        f"Restore the object that has it, then run `retrace check rebuild` again. {_ALL_VERSIONS}",
    ),
    Kind.RECORD_CHANGED: (
        "The object records which raw lines had rows, but is unreadable or was changed.",
        f"Restore it, then run `retrace check rebuild` again. {_ALL_VERSIONS}",
    ),
    Kind.LINE_SUPERSEDED: (
        "Another line has the rows of this line's identity, and no marker records that for a rebuild.",
        "Run `retrace check audit --repair` to write the marker.",
    ),
    Kind.INPUT_DIFFERS: ("The row of an aggregate's input differs from the event's raw line.", _REPLAY),
    Kind.INPUT_UNKNOWN: (
        "An aggregate counts an event that is in neither index nor identities.",
        "`retrace check audit` looks for it in the raw objects. If none has it, the event never existed.",
    ),
    Kind.VERSION_DIFFERS: ("The aggregate does not follow from its inputs.", _REPLAY),
    Kind.VERSION_MISSING: ("The inputs of an aggregate exist, but the aggregate does not.", _REPLAY),
    Kind.VALUES_DIFFER: (
        "The kept values of a metric that needs all inputs are not those of the inputs.",
        "Trust the inputs: delete the rows of VALUES#<inputs> in AggregatesTable, and ask for the metric again.",
    ),
    Kind.TOTAL_DIFFERS: (
        "The kept total of a day is not the fold of its replay's versions.",
        "Trust the versions: delete the day's row of TOTALS#<replay> in AggregatesTable, and ask for the total again.",
    ),
    Kind.DIGEST_CHANGED: (
        "The digest is not what was signed, so nothing is believed of what it lists.",
        f"Check that it is the right public key. {_ALL_VERSIONS}",
    ),
    Kind.DIGEST_MISSING: (
        "Digests are numbered consecutively, and some are missing. Objects that only they list are unlisted.",
        _ALL_VERSIONS,
    ),
    Kind.DIGEST_CHAIN_BROKEN: (
        "The digest is signed, but names another predecessor. Another principal may be signing.",
        "CloudTrail has every call of kms:Sign, and whose it was.",
    ),
    Kind.DIGEST_REWRITTEN: (
        "Digests are written once, and of this one there is another version, or a delete marker.",
        "Read each version (`aws s3api list-object-versions`) and compare them. " + _ALL_VERSIONS,
    ),
    Kind.DIGEST_DELAYED: (
        "For more than 90 minutes no digest was written: disabled, or the function failed, or one was removed.",
        "See docs/runbook.md#digest-missing. The next digest lists what was written meanwhile. Changes went unseen.",
    ),
    Kind.DIGEST_BEHIND: (
        "Every digest has left notifications over for more than six hours. Added objects look like waiting ones.",
        "See docs/runbook.md#oldest-notification. After a flood the next digests catch up.",
    ),
    Kind.LISTED_CHANGED: ("The bytes of an object are not those that a digest lists.", _LOST_BYTES),
    Kind.LISTED_MISSING: ("An object that a digest lists is missing.", _ALL_VERSIONS),
    Kind.OBJECT_HIDDEN: (
        "A delete marker hides the object, which still exists.",
        "Delete the marker by its version id, and find out who put it there. " + _ALL_VERSIONS,
    ),
    Kind.OBJECT_OVERWRITTEN: (
        "Objects are written once, and this is another version over the first.",
        f"The first still exists, unless it is reported as missing. {_ALL_VERSIONS}",
    ),
    Kind.OBJECT_UNLISTED: (
        "The object was written three hours before the newest digest began, and no digest lists it.",
        f"Check whether the bucket's notifications were switched off. {_ALL_VERSIONS}",
    ),
}
