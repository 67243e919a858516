"""Compares the settings that protect raw events and tables with the deployed template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from retrace.checkup import Finding, Level

_ARN = re.compile(r"\$\{(\w+)\.Arn\}")
_PARAMETER = re.compile(r"\$\{(\w+)\}")
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
                known = _ARN.sub(lambda found: self.arns.get(found[1], found[0]), text)
                return _PARAMETER.sub(lambda found: self.parameters.get(found[1], found[0]), known)
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


Json = Mapping[str, Any]

_REDEPLOY = "Find in CloudTrail who changed it, then restore it: docs/security.md#protection"
_NOT_ACTIONS = {"Id", "ID", "Filter", "Prefix"}
_AS_ANSWERED = {"ExpirationInDays": "Expiration"}


def policy(declared: Json, found: Json | None) -> Finding:
    """Whether each statement of the bucket's policy is there as it was deployed, and no other beside them."""
    wanted = _statements(declared)
    there = _statements(found or {})
    lost = sorted(sid for sid, statement in wanted.items() if there.get(sid) != statement)
    added = sorted(there.keys() - wanted.keys())
    if lost:
        said = f"These were changed or removed: {', '.join(lost)}." if found else "The bucket has no policy."
        return Finding("bucket policy", Level.PROBLEM, f"{said} Objects can be deleted.", _REDEPLOY)
    if added:
        return Finding("bucket policy", Level.PROBLEM, f"These were added: {', '.join(added)}.", _REDEPLOY)
    return Finding("bucket policy", Level.OK, ", ".join(sorted(wanted)))


def _statements(document: Json) -> dict[str, Any]:
    """Statements by their names. A single value becomes a list of one, as IAM accepts both."""
    return {str(each.get("Sid", "one without a Sid")): _listed(each) for each in document.get("Statement", [])}


def _listed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _listed(each) for name, each in value.items()}
    return sorted(map(str, value)) if isinstance(value, list) else [str(value)]


def lock(declared: Json, found: Json) -> Finding:
    """Whether Object Lock keeps new versions as long as it was deployed to."""
    wanted, there = (each.get("Rule", {}).get("DefaultRetention", {}) for each in (declared, found))
    if found.get("ObjectLockEnabled") != "Enabled":
        return Finding("object lock", Level.PROBLEM, "It is not enabled.", _REDEPLOY)
    if _retention(there) != _retention(wanted):
        said = f"It keeps new versions for {_retention(there)}, but was deployed with {_retention(wanted)}."
        return Finding("object lock", Level.PROBLEM, said, _REDEPLOY)
    if not there:
        remedy = "Deploy with RawRetentionDays above 0. Existing objects stay without retention."
        return Finding("object lock", Level.WARNING, "It keeps nothing: RawRetentionDays is 0.", remedy)
    return Finding("object lock", Level.OK, f"new versions are kept for {_retention(there)}")


def _retention(default: Json) -> str:
    return f"{default['Days']} days ({default['Mode']})" if default else "0 days"


def versioning(declared: Json, found: Json) -> Finding:
    """Whether what is overwritten or deleted stays as a version."""
    return _same("versioning", declared["Status"], found.get("Status", "off"))


def public_access(declared: Json, found: Json) -> Finding:
    """Whether every way of being public is blocked."""
    opened = sorted(name for name, wanted in declared.items() if found.get(name) != wanted)
    if opened:
        return Finding(
            "public access", Level.PROBLEM, f"It differs from what was deployed: {', '.join(opened)}.", _REDEPLOY
        )
    return Finding("public access", Level.OK, "blocked")


def lifecycle(declared: Json, found: Iterable[Json]) -> Finding:
    """Whether nothing expires except what was deployed to."""
    wanted, there = _rules(declared.get("Rules", [])), _rules(found)
    others = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
    if others:
        said = f"Rules differ from those deployed: {', '.join(others)}. They may delete what Object Lock does not keep."
        return Finding("lifecycle", Level.PROBLEM, said, _REDEPLOY)
    return Finding("lifecycle", Level.OK, "no event expires, only parts of uploads and events files")


def notifications(declared: Json, found: Json) -> Finding:
    """Whether the digest queue is notified of every object that digests list. Other notifications change nothing."""
    wanted = {
        (each["Event"], each["Queue"], _prefix(each["Filter"]["S3Key"]["Rules"]))
        for each in declared.get("QueueConfigurations", [])
    }
    there = {
        (event, each["QueueArn"], _prefix(each.get("Filter", {}).get("Key", {}).get("FilterRules", [])))
        for each in found.get("QueueConfigurations", [])
        for event in each["Events"]
    }
    lost = ", ".join(sorted(prefix for _, _, prefix in wanted - there))
    if lost:
        said = f"S3 does not notify the digest queue of what is written below {lost}."
        return Finding("notifications", Level.PROBLEM, said, _REDEPLOY)
    told = ", ".join(sorted(prefix for _, _, prefix in wanted))
    return Finding("notifications", Level.OK, told or "none: the stage was deployed without digests")


def _prefix(rules: Iterable[Json]) -> str:
    """The prefix of a filter: as CloudFormation takes it, or as S3 answers it, which may begin with a capital."""
    return next((str(rule["Value"]) for rule in rules if rule["Name"].lower() == "prefix"), "")


def _rules(rules: Iterable[Json]) -> dict[str, Json]:
    return {
        str(rule.get("ID", rule.get("Id", "one without an id"))): {"prefix": _below(rule)}
        | {_AS_ANSWERED.get(name, name): _days(each) for name, each in rule.items() if name not in _NOT_ACTIONS}
        for rule in rules
    }


def _below(rule: Json) -> object:
    """What a rule is about: the prefix of its filter, or whatever else that has."""
    where = rule.get("Filter", rule.get("Prefix", ""))
    return where.get("Prefix", where or "") if isinstance(where, dict) else where


def _days(action: object) -> object:
    """An action as S3 answers it; CloudFormation takes the days of an expiration alone."""
    return action if isinstance(action, dict | str) else {"Days": action}


def table(name: str, declared: Json, described: Json, recovery: str) -> Finding:
    """Whether a table is protected from deletion and can be restored to any second."""
    wanted = (
        declared.get("DeletionProtectionEnabled", False),
        declared.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled", False),
    )
    there = (described.get("DeletionProtectionEnabled", False), recovery == "ENABLED")
    labels = ("deletion protection", "point-in-time recovery")
    lacking = [label for label, is_wanted, is_there in zip(labels, wanted, there, strict=True) if is_wanted > is_there]
    if lacking:
        return Finding(f"table {name}", Level.PROBLEM, f"It lacks {' and '.join(lacking)}.", _REDEPLOY)
    return Finding(f"table {name}", Level.OK, " and ".join(labels))


def _same(check: str, wanted: str, there: str) -> Finding:
    if wanted == there:
        return Finding(check, Level.OK, there.lower())
    return Finding(check, Level.PROBLEM, f"It is {there}, but was deployed as {wanted}.", _REDEPLOY)
