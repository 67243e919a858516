"""The web console: a page on this machine's loopback that calls the API with the credentials of its starter."""
