"""Errors as clients see them: a canonical code, a message and an HTTP status."""

import tensorflow as tf

# Canonical codes, as gRPC numbers them -> HTTP status, as TensorFlow Serving maps them.
HTTP_STATUS = {
    "OK": 200,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}
CODES = tuple(HTTP_STATUS)


class StatusError(Exception):
    """Failure of a request or of a load.

    Args:
      code: one of `CODES`.
      message: text for the client.
      http_status: HTTP status, if not the code's own: HTTP has more of them, such as 413.
    """

    def __init__(self, code, message, http_status=None):
        super().__init__(message)
        self.code, self.message = code, message
        self.http_status = http_status or HTTP_STATUS[code]

    @property
    def number(self):
        return CODES.index(self.code)

    def __str__(self):
        return f"{self.code}: {self.message}"


def invalid(message):
    return StatusError("INVALID_ARGUMENT", message)


def not_found(message):
    return StatusError("NOT_FOUND", message)


def of(error):
    """An exception as `StatusError`."""
    if isinstance(error, StatusError):
        return error
    if isinstance(error, tf.errors.OpError):
        return StatusError(CODES[error.error_code], error.message)
    if isinstance(error, MemoryError):
        return StatusError("RESOURCE_EXHAUSTED", "Out of memory")
    return StatusError("INTERNAL", f"{type(error).__name__}: {error}")
