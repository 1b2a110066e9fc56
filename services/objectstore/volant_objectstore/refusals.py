"""What the store refuses, by S3's codes."""

import errno

_STATUS = {
    "AccessDenied": 403,
    "AuthorizationHeaderMalformed": 400,
    "AuthorizationQueryParametersError": 400,
    "BadDigest": 400,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "IncompleteBody": 400,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidDigest": 400,
    "InvalidPart": 400,
    "InvalidPartOrder": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "InvalidURI": 400,
    "KeyTooLongError": 400,
    "MalformedXML": 400,
    "MetadataTooLarge": 400,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "NoSuchBucket": 404,
    "NoSuchBucketPolicy": 404,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "NotImplemented": 501,
    "PreconditionFailed": 412,
    "RequestTimeTooSkewed": 403,
    "SignatureDoesNotMatch": 403,
    "XAmzContentChecksumMismatch": 400,
    "XAmzContentSHA256Mismatch": 400,
    "XMinioStorageFull": 507,
}


class RefusalError(Exception):
    """An answer that is an error: one of S3's codes and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        """Keep both; the HTTP status follows from the code."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = _STATUS[code]


class NotModifiedError(Exception):
    """A conditional read met what the client has already (304)."""


def of_os_error(error: OSError) -> RefusalError:
    """What an error of the file system is to the client."""
    if isinstance(error, FileNotFoundError):
        return RefusalError("NoSuchKey", "The specified key does not exist.")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RefusalError("XMinioStorageFull", "The object store's disk is full. Free some space and try again.")
    if error.errno == errno.EFBIG:
        return RefusalError("EntityTooLarge", "The file system of the object store takes no file of this size.")
    if error.errno == errno.ENAMETOOLONG:
        return RefusalError("KeyTooLongError", "The key is too long for the object store's folder.")
    return RefusalError("InternalError", f"The object store's folder failed: {error.strerror or error}.")
