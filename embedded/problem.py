"""What stops the embedded stack, told so that whoever reads it knows what to do next."""

from infra.problem import Problem

__all__ = ["Problem"]
