"""Errors as clients see them: a canonical code, a message and an HTTP status."""

import tensorflow as tf

from tfdepthviz.serving.transport import readable

# Canonical codes, as gRPC numbers them, and their HTTP statuses, as TensorFlow Serving maps them.
CODES = (
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS "
    "PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED "
    "INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED"
).split()
_HTTP = (200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401)


class StatusError(Exception):
    """Failure of a request or of a load: one of CODES, a text, and an HTTP status of its own."""

    def __init__(self, code, message, http_status=None):
        super().__init__(message)
        self.code, self.message, self.number = code, message, CODES.index(code)
        self.http_status = http_status or _HTTP[self.number]


def invalid(message):
    return StatusError("INVALID_ARGUMENT", message)


def not_found(message):
    return StatusError("NOT_FOUND", message)


def too_large(message):
    return StatusError("RESOURCE_EXHAUSTED", message, http_status=413)


def of(error):
    """An exception as `StatusError`, in one line."""
    if isinstance(error, StatusError):
        return error
    if isinstance(error, tf.errors.OpError):
        return StatusError(CODES[error.error_code], readable(error.message))
    if isinstance(error, MemoryError):
        return StatusError("RESOURCE_EXHAUSTED", "out of memory")
    return StatusError("INTERNAL", f"{type(error).__name__}: {error}")
