output "raw_bucket" {
  description = "The bucket of raw objects and quarantine."
  value       = aws_cloudformation_stack.retrace.outputs["RawBucket"]
}

output "destinations" {
  description = "Where replays may send: names and ARNs, as JSON."
  value       = aws_cloudformation_stack.retrace.outputs["Destinations"]
}
