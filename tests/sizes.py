"""How much the tests try: a profile of Hypothesis says it for all of them, `pytest --hypothesis-profile=full`.

`make check` takes quick, `make test` usual, and `make soak` ci or full. Only full draws other examples each time, by a
seed.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

USUAL = "usual"
FULL = "full"
_EXAMPLES = {"quick": 20, USUAL: 100, "ci": 300, FULL: 2_500}


def register() -> None:
    """Make the profiles known, and take the usual one; no verdict depends on how fast the machine is."""
    for name, examples in _EXAMPLES.items():
        settings.register_profile(
            name,
            max_examples=examples,
            derandomize=name != FULL,
            database=None,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
    settings.load_profile(USUAL)


def times(usual: int) -> int:
    """How many are tried of what the usual size tries so many of."""
    return max(1, usual * settings().max_examples // _EXAMPLES[USUAL])


def is_full() -> bool:
    """Whether what takes an hour is wanted."""
    return settings.get_current_profile_name() == FULL
