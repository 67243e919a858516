"""Applies SnapStart to the packaged template, beyond functions.yaml.

Chalice has API Gateway call the function behind all routes, whose unpublished version has no snapshot. Here its alias
is called if there is one.
"""

from typing import Any, Final

Template = dict[str, Any]

WITHOUT_SNAPSHOTS: Final = "python3.11"
"""The runtime that Retrace runs on and SnapStart does not: https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html"""

_CALLED: Final = {
    "Fn::Sub": [
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Called}/invocations",
        {"Called": {"Fn::If": ["StartsFromSnapshots", {"Ref": "ApiAlias"}, {"Fn::GetAtt": ["APIHandler", "Arn"]}]}},
    ]
}


def prepared(template: Template, runtime: str, release: str) -> Template:
    """Return the template for a runtime and a release, all routes that it says nothing of called by their alias."""
    versions = template["Resources"]
    for name in ("APIHandler", "IngestHandler", "ApiVersion", "IngestVersion"):
        text = versions[name]["Properties"]["Description"]["Fn::Sub"]
        versions[name]["Properties"]["Description"] = {"Fn::Sub": text.replace("RELEASE", release)}
    if runtime == WITHOUT_SNAPSHOTS:
        template["Parameters"]["SnapStart"]["AllowedValues"] = ["false"]
    _call_alias(template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"])
    return template


def _call_alias(paths: dict[str, Any]) -> None:
    from app import app  # noqa: PLC0415  # only a template has need of the routes

    for path, methods in app.routes.items():
        for method in methods:
            operation = paths.setdefault(path, {}).setdefault(method.lower(), {})
            operation.setdefault("x-amazon-apigateway-integration", {}).setdefault("uri", _CALLED)
