"""What the functions of a CloudFormation template come to, where its resources and parameters are known."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_PLACE: Final = re.compile(r"\$\{([^!}]+)}")
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a deployment: what references stand for, the ARNs of its resources, and its conditions."""

    references: Mapping[str, str]
    arns: Mapping[str, str]
    conditions: Mapping[str, Any]

    def resolved(self, node: Any) -> Any:
        """Return a part of a template with its functions worked out; raises KeyError at what is not known."""
        found = self._resolved(node)
        return None if found is _ABSENT else found

    def holds(self, condition: str) -> bool:
        """Whether a condition of the template is met."""
        return bool(self._resolved(self.conditions[condition]))

    def _resolved(self, node: Any) -> Any:  # noqa: C901, PLR0911  # a line or two for each function
        match node:
            case {"Ref": "AWS::NoValue"}:
                return _ABSENT
            case {"Ref": str(name)}:
                return self.references[name]
            case {"Fn::GetAtt": [str(name), "Arn"]}:
                return self.arns[name]
            case {"Fn::Sub": str(text)}:
                return _PLACE.sub(lambda place: self._named(place[1]), text)
            case {"Fn::If": [str(condition), met, unmet]}:
                return self._resolved(met if self.holds(condition) else unmet)
            case {"Fn::Equals": [one, other]}:
                return str(self._resolved(one)) == str(self._resolved(other))
            case {"Fn::Not": [condition]}:
                return not self._resolved(condition)
            case {"Condition": str(condition), **rest} if not rest:
                return self.holds(condition)
            case dict():
                members = {key: self._resolved(value) for key, value in node.items()}
                return {key: value for key, value in members.items() if value is not _ABSENT}
            case list():
                return [found for found in map(self._resolved, node) if found is not _ABSENT]
            case _:
                return node

    def _named(self, name: str) -> str:
        resource, dot, attribute = name.partition(".")
        if not dot:
            return str(self.references[name])
        if attribute != "Arn":
            raise KeyError(name)
        return self.arns[resource]
