"""What Retrace needs of AWS, and the tools that turn it into a deployment."""
