"""What a deployed template says of its resources, with the values that its parameters were deployed with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ARN = re.compile(r"\$\{(\w+)\.Arn\}")
_NOTHING = object()


@dataclass(frozen=True, slots=True)
class Declared:
    """A template, its parameters, and the ARNs of resources that it refers to."""

    template: Mapping[str, Any]
    parameters: Mapping[str, str]
    arns: Mapping[str, str]

    def properties(self, logical_id: str) -> Any:
        """The properties of a resource. Functions that what is checked does not use stay as they are written."""
        return self._resolved(self.template["Resources"][logical_id]["Properties"])

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [each for each in map(self._resolved, value) if each is not _NOTHING]
        return self._of_map(value) if isinstance(value, dict) else value

    def _of_map(self, value: Mapping[str, Any]) -> Any:
        match value:
            case {"Ref": "AWS::NoValue"}:
                return _NOTHING
            case {"Ref": name}:
                return self.parameters.get(name, value)
            case {"Fn::If": [condition, then, otherwise]}:
                return self._resolved(then if self._holds(condition) else otherwise)
            case {"Fn::GetAtt": [name, "Arn"]}:
                return self.arns.get(name, value)
            case {"Fn::Sub": str() as text}:
                return _ARN.sub(lambda found: self.arns.get(found[1], found[0]), text)
            case _:
                resolved = {name: self._resolved(each) for name, each in value.items()}
                return {name: each for name, each in resolved.items() if each is not _NOTHING}

    def _holds(self, condition: Any) -> bool:
        match condition:
            case str():
                return self._holds(self.template["Conditions"][condition])
            case {"Fn::Not": [inner]}:
                return not self._holds(inner)
            case {"Fn::Equals": [one, other]}:
                return str(self._resolved(one)) == str(self._resolved(other))
            case _:
                raise ValueError(f"The template has a condition that is not understood: {condition}.")
