"""The shapes of the HTTP API, as models: the OpenAPI document is generated from them, and tests hold answers to it."""
