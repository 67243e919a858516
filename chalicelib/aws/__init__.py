"""Adapters between the domain and S3, DynamoDB and SQS: each speaks in domain terms, never in boto3's."""
