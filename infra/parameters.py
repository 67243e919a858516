"""Parameters of a deployment: read from a command line, checked against the template, kept where not given again."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from infra.problem import Problem

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

Declared = Mapping[str, Mapping[str, Any]]


def parsed(words: Iterable[str]) -> dict[str, str]:
    """Read words such as RawRetentionDays=365."""
    pairs = {word: word.partition("=") for word in words}
    wrong = [word for word, (name, equals, _) in pairs.items() if not (name and equals)]
    if wrong:
        raise Problem(
            f"{wrong[0]!r} is no parameter.",
            "Write Name=value: make deploy STAGE=prod PARAMETERS='RawRetentionDays=365'",
        )
    return {name: value for name, _, value in pairs.values()}


def require_declared(declared: Declared, given: Mapping[str, str]) -> None:
    """Raise Problem if a parameter is given that the template does not have."""
    unknown = sorted(given.keys() - declared.keys())
    if unknown:
        raise Problem(f"The template has no parameter {', '.join(unknown)}.", f"It has: {', '.join(sorted(declared))}")


def require_stage(declared: Declared, stage: str, given: Mapping[str, str]) -> None:
    """Raise Problem if the stage cannot be called that."""
    pattern = declared["Stage"]["AllowedPattern"]
    if not re.fullmatch(pattern, stage):
        raise Problem(
            f"A stage cannot be called {stage!r}." if stage else "Which stage?",
            f"Name one as STAGE=prod; its name matches {pattern}",
        )
    if "Stage" in given:
        raise Problem("Stage is given twice.", "STAGE=… alone says which; leave it out of PARAMETERS.")


def value_of(name: str, declared: Declared, given: Mapping[str, str], described: "StackTypeDef | None") -> str:
    """Return what a parameter will be: as it is given, else as it was deployed, else its default."""
    before = described.get("Parameters", []) if described is not None else []
    deployed = {each["ParameterKey"]: each["ParameterValue"] for each in before}
    return str(given.get(name, deployed.get(name, declared[name]["Default"])))


SHARDS: Final = ("TypeDayShards", "TypeDayShardsRead")
"""Written to, and read at least."""


def require_readers_first(declared: Declared, given: Mapping[str, str], described: "StackTypeDef | None") -> None:
    """Raise Problem if ingest would write to shards that are not read yet, or if shards would not be read any more.

    CloudFormation updates one function after the other. A function of before reads as many shards as before.
    """
    if described is None:
        return
    read = max(int(value_of(name, declared, {}, described)) for name in SHARDS)
    written, will_be_read = (int(value_of(name, declared, given, described)) for name in SHARDS)
    if written > read:
        raise Problem(
            f"TypeDayShards would be {written}, but the deployed functions read {read}: they would miss new events.",
            f"Deploy TypeDayShardsRead={written} first, and TypeDayShards={written} after that.",
        )
    if max(written, will_be_read) < read:
        raise Problem(
            f"Only {max(written, will_be_read)} shards would be read, but {read} may contain events.",
            f"Keep TypeDayShards or TypeDayShardsRead at {read}.",
        )


def kept(declared: Declared, given: Mapping[str, str], described: "StackTypeDef | None") -> list[str]:
    """Return the parameters that keep the value they were deployed with: those that nobody gave again."""
    deployed = {each["ParameterKey"] for each in described.get("Parameters", [])} if described is not None else set()
    return sorted((deployed & declared.keys()) - given.keys())
