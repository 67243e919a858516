"""What a change set would change, in words, and whether data or its protection would be lost to it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ResourceChangeTypeDef

PROTECTED: Final = frozenset({"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::DynamoDB::Table"})
"""What holds data, and what keeps others from deleting it."""

_SIGNS: Final = {"added": "+", "changed": "~", "may be replaced": "?", "replaced": "!", "removed": "-"}

_ACTIONS: Final = {"Add": "added", "Import": "added", "Remove": "removed", "Dynamic": "may be replaced"}
_REPLACEMENTS: Final = {"True": "replaced", "Conditional": "may be replaced"}
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html"""


@dataclass(frozen=True, slots=True)
class Change:
    """A resource, and how it would change: one of the words in _SIGNS."""

    logical_id: str
    type: str
    how: str
    properties: Sequence[str] = ()

    @classmethod
    def of(cls, change: "ResourceChangeTypeDef") -> "Change":
        """Read it as CloudFormation tells it."""
        how = _ACTIONS.get(change["Action"]) or _REPLACEMENTS.get(change.get("Replacement", ""), "changed")
        targets = [detail.get("Target", {}) for detail in change.get("Details", [])]
        properties = {target.get("Name") or target.get("Attribute", "") for target in targets}
        return cls(change["LogicalResourceId"], change["ResourceType"], how, sorted(properties - {""}))

    @property
    def loses(self) -> bool:
        """Whether a bucket or a table would no longer be the one that holds the data, or lie there unprotected.

        What only may be replaced is left to the stack policy: CloudFormation knows when it comes to it.
        """
        return self.type in PROTECTED and self.how in {"replaced", "removed"}


def described(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a line for each change, and one that counts them."""
    width = max((len(change.logical_id) for change in changes), default=0)
    for change in sorted(changes, key=lambda each: (list(_SIGNS).index(each.how), each.logical_id)):
        line = f"  {_SIGNS[change.how]} {change.logical_id:{width}}  {change.type}"
        yield f"{line} ({', '.join(change.properties)})" if change.properties else line
    counts = Counter(change.how for change in changes)
    yield ", ".join(f"{counts[how]} {how}" for how in _SIGNS if counts[how]) or "only outputs"
