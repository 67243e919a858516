variable "stage" {
  description = "Name of the deployment: a letter, then at most fifteen letters and digits, all small."
  type        = string
  default     = "dev"
}

variable "raw_retention_days" {
  description = "Days for which Object Lock keeps raw objects."
  type        = number
  default     = 365
}
