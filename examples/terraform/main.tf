# The bucket, the tables and the queues of one stage of Retrace, as Terraform sees them: a CloudFormation stack. Its
# functions are deployed with Chalice afterwards; README.md says how.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

resource "aws_cloudformation_stack" "retrace" {
  name          = "retrace-${var.stage}"
  template_body = file("${path.module}/../../infra/resources.yaml")
  on_failure    = "DO_NOTHING"

  parameters = {
    Stage            = var.stage
    RawRetentionDays = var.raw_retention_days
  }

  # No update may replace or remove stored data.
  policy_body = jsonencode({
    Statement = [
      { Effect = "Allow", Principal = "*", Action = "Update:*", Resource = "*" },
      {
        Effect    = "Deny"
        Principal = "*"
        Action    = ["Update:Replace", "Update:Delete"]
        Resource  = "*"
        Condition = {
          StringEquals = { ResourceType = ["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::S3::BucketPolicy"] }
        }
      },
    ]
  })

  lifecycle {
    prevent_destroy = true
  }
}
