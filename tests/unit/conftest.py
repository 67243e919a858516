"""Hypothesis, set up so that no verdict depends on how fast the machine is, or on what is drawn this time."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "unit", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unit")
