"""The example for Terraform is HCL, and names only what the template and it itself declare.

`terraform validate` would ask a registry for the provider's schema, so it is not part of the suite.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import hcl2

from infra.changes import PROTECTED
from infra.merge import RESOURCES, load

EXAMPLE = Path(__file__).parents[2] / "examples/terraform"
FILES = sorted(EXAMPLE.glob("*.tf"))
TEXT = "\n".join(path.read_text() for path in FILES)


def blocks(kind: str) -> list[Any]:
    """The blocks of a kind, of all files."""
    return [block for path in FILES for block in hcl2.loads(path.read_text()).get(kind, [])]


def names(kind: str) -> set[str]:
    """What blocks of a kind are called."""
    return {name.strip('"') for block in blocks(kind) for name in block if name.startswith('"')}


def stack() -> Any:
    """The stack of a stage."""
    [found] = [
        block['"aws_cloudformation_stack"'] for block in blocks("resource") if '"aws_cloudformation_stack"' in block
    ]
    return found['"retrace"']


def test_parameters_are_those_of_the_template() -> None:
    assert stack()["parameters"].keys() <= load(RESOURCES)["Parameters"].keys()
    from_here = os.path.relpath(RESOURCES, EXAMPLE)
    assert f"${{path.module}}/{from_here}" in stack()["template_body"]


def test_outputs_that_are_used_are_those_of_the_template() -> None:
    used = set(re.findall(r'aws_cloudformation_stack\.retrace\.outputs\["(\w+)"\]', TEXT))

    assert used
    assert used <= load(RESOURCES)["Outputs"].keys()


def test_each_variable_is_declared_and_used() -> None:
    assert set(re.findall(r"\bvar\.(\w+)", TEXT)) == names("variable")


def test_what_holds_data_is_neither_replaced_nor_removed() -> None:
    assert stack()["lifecycle"][0]["prevent_destroy"] is True
    assert json.dumps(sorted(PROTECTED)) in stack()["policy_body"]
    assert '["Update:Replace", "Update:Delete"]' in stack()["policy_body"]


def test_the_stack_is_named_as_recording_looks_for_it() -> None:
    assert stack()["name"] == '"retrace-${var.stage}"'


def test_the_template_fits_into_a_request() -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html, in bytes
    assert RESOURCES.stat().st_size < 51_200
