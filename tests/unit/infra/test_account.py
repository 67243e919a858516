"""A command works in the region that the AWS CLI would work in."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.account import session


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-north-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-north-1"}, "eu-north-1"),
        ({}, "eu-south-1"),
    ],
)
def test_the_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], region: str) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-south-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert session().region_name == region
    assert session().client("cloudformation").meta.region_name == region
