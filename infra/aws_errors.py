"""AWS's refusals, and what keeps one from reaching it, in words."""

from typing import Final

from botocore import exceptions

from infra.problem import Problem

_NOT_KNOWN: Final = frozenset(
    {
        *("AuthFailure", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId"),
        *("InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException"),
    }
)

_LOG_IN: Final = "Log in, as with `aws sso login` or `aws configure`, and choose the profile with AWS_PROFILE."
_PUT_RIGHT: Final = "Put that right and try again; what is done stays done."


def problem_of(error: exceptions.BotoCoreError | exceptions.ClientError) -> Problem:
    """Return what is wrong, and the remedy."""
    match error:
        case exceptions.NoRegionError():
            return Problem("No AWS region is chosen.", "Choose one: AWS_REGION=eu-west-1 make deploy …")
        case exceptions.NoCredentialsError() | exceptions.PartialCredentialsError():
            return Problem("No AWS credentials were found.", _LOG_IN)
        case exceptions.ProfileNotFound():
            return Problem(f"{error}.", "AWS_PROFILE chooses it; `aws configure list-profiles` lists them.")
        case exceptions.CredentialRetrievalError() | exceptions.SSOError():
            return Problem(f"The AWS credentials are no longer good: {error}", _LOG_IN)
        case exceptions.ClientError():
            return _refusal(error)
        case _:
            return _unasked(error)


def _unasked(error: exceptions.BotoCoreError) -> Problem:
    if isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError):
        return Problem(f"AWS cannot be reached: {error}", "See to the network and the region, then try again.")
    return Problem(f"AWS could not be asked: {error}", _PUT_RIGHT)


def _refusal(error: exceptions.ClientError) -> Problem:
    code = error.response["Error"]["Code"]
    if code in _NOT_KNOWN:
        return Problem(f"AWS does not accept the credentials: {error}", _LOG_IN)
    if "AccessDenied" in code or code in {"403", "UnauthorizedOperation"}:
        return Problem(f"You may not do this: {error}", "docs/deploying.md lists the rights that deploying takes.")
    return Problem(f"AWS refused a call: {error}", _PUT_RIGHT)
