"""The version of the release: of API, messages, raw lines and command line."""

VERSION = "1.0.0"

MAJOR_VERSION = VERSION.partition(".")[0]
"""Within it, only additions are made to the contract."""
