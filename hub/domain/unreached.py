"""Why a connection failed, in words: libraries wrap what the system says into errors of their own, which name their classes at best."""

import ssl

_TOLD_MAX = 200


def tell_unreached(error: BaseException) -> str:
    """Return in words what is at the bottom of an error of a connection."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not good: {cause.verify_message}"
        if isinstance(cause, TimeoutError):
            return "it did not answer in time"
        if isinstance(cause, ConnectionResetError):
            return "it closed the connection without an answer"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error)[:_TOLD_MAX]
