output "raw_bucket" {
  description = "The bucket of raw objects and quarantine."
  value       = aws_cloudformation_stack.retrace.outputs["RawBucket"]
}

output "replay_queue_url" {
  description = "Where the messages of replays go."
  value       = aws_cloudformation_stack.retrace.outputs["ReplayQueueUrl"]
}

output "consumer_policy_arn" {
  description = "The policy to attach to the role of a consumer of your own."
  value       = aws_iam_policy.consumer.arn
}
