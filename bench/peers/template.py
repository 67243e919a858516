"""The CloudFormation template of a peer: the same kind of API, functions, tables and queue that Retrace has."""

from __future__ import annotations

from typing import Any

from infra.merge import RUNTIME

Json = dict[str, Any]

TABLES = {"EVENTS_TABLE": "EventsTable", "DEDUPE_TABLE": "DedupeTable", "COUNTS_TABLE": "CountsTable"}
ROUTES = {"/ingest": "post", "/replay": "post", "/events": "get"}

EVENTS_TABLE: Json = {
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK", "type_day")],
    "KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-type-and-day",
            "KeySchema": [
                {"AttributeName": "type_day", "KeyType": "HASH"},
                {"AttributeName": "SK", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}
DEDUPE_TABLE: Json = {
    "AttributeDefinitions": [{"AttributeName": "event_id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "event_id", "KeyType": "HASH"}],
}
COUNTS_TABLE: Json = {
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("entity_id", "day")],
    "KeySchema": [{"AttributeName": "entity_id", "KeyType": "HASH"}, {"AttributeName": "day", "KeyType": "RANGE"}],
}
SHAPES = {"EventsTable": EVENTS_TABLE, "DedupeTable": DEDUPE_TABLE, "CountsTable": COUNTS_TABLE}


def template(module: str, code_uri: str, responses: list[str]) -> Json:
    """The template of the peer in a module; `responses` are the kinds of response that its processor gives."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket"},
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 360}},
            **{name: _table(shape) for name, shape in SHAPES.items()},
            "Role": _role(),
            "Api": {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "api", "DefinitionBody": _routes()}},
            "ApiFunction": _function(f"{module}.api", code_uri, 29),
            "ApiPermission": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "FunctionName": {"Ref": "ApiFunction"},
                    "Action": "lambda:InvokeFunction",
                    "Principal": "apigateway.amazonaws.com",
                },
            },
            "Processor": _processor(f"{module}.process", code_uri, responses),
        },
        "Outputs": {name: {"Value": {"Ref": name}} for name in ("Api", "Bucket", "Queue", "Processor", *SHAPES)},
    }


def _table(shape: Json) -> Json:
    return {"Type": "AWS::DynamoDB::Table", "Properties": {"BillingMode": "PAY_PER_REQUEST", **shape}}


def _function(handler: str, code_uri: str, timeout: int) -> Json:
    variables: Json = {variable: {"Ref": table} for variable, table in TABLES.items()}
    return {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Runtime": RUNTIME,
            "Handler": handler,
            "CodeUri": code_uri,
            "Timeout": timeout,
            "MemorySize": 1024,
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Environment": {"Variables": {**variables, "BUCKET": {"Ref": "Bucket"}, "QUEUE_URL": {"Ref": "Queue"}}},
        },
    }


def _processor(handler: str, code_uri: str, responses: list[str]) -> Json:
    function = _function(handler, code_uri, 60)
    source: Json = {"Queue": {"Fn::GetAtt": ["Queue", "Arn"]}, "BatchSize": 10}
    source["ScalingConfig"] = {"MaximumConcurrency": 5}
    source["FunctionResponseTypes"] = responses
    function["Properties"]["Events"] = {"Messages": {"Type": "SQS", "Properties": source}}
    return function


def _role() -> Json:
    allowed = [
        (["s3:PutObject", "s3:GetObject"], {"Fn::Sub": "${Bucket.Arn}/*"}),
        (["sqs:SendMessage", "sqs:SendMessageBatch"], {"Fn::GetAtt": ["Queue", "Arn"]}),
        (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], {"Fn::GetAtt": ["Queue", "Arn"]}),
        ([f"dynamodb:{each}Item" for each in ("Get", "Put", "Update", "Delete")] + ["dynamodb:Query"], "*"),
        (["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "*"),
    ]
    statements = [{"Effect": "Allow", "Action": actions, "Resource": resource} for actions, resource in allowed]
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [{"PolicyName": "peer", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}],
        },
    }


def _routes() -> Json:
    """What Chalice writes for Retrace's routes, for the peer's."""
    uri = (
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31"
        "/functions/${ApiFunction.Arn}/invocations"
    )
    integration = {"uri": {"Fn::Sub": uri}, "httpMethod": "POST", "type": "aws_proxy"}
    signed = {"in": "header", "type": "apiKey", "name": "Authorization", "x-amazon-apigateway-authtype": "awsSigv4"}
    return {
        "swagger": "2.0",
        "info": {"version": "1.0", "title": "peer"},
        "schemes": ["https"],
        "paths": {
            path: {
                method: {
                    "responses": {"200": {"description": "200 response"}},
                    "x-amazon-apigateway-integration": integration,
                    "security": [{"sigv4": []}],
                }
            }
            for path, method in ROUTES.items()
        },
        "securityDefinitions": {"sigv4": signed},
    }
