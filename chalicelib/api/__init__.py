"""The HTTP edge: requests, responses, and the OpenAPI document."""
