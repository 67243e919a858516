"""What must come out as told: a figure that does not ends the story."""

from infra.command import Problem


def require(what: str, found: object, expected: object) -> None:
    """Raise Problem if something is not what it should be."""
    if found != expected:
        raise Problem(
            f"This does not hold: {what}\n  expected {expected}\n  found    {found}",
            "Promises of docs/architecture.md are broken, or files in examples/ were changed.",
        )
