"""Between PostgreSQL's times and Protobuf's."""

import datetime

from google.protobuf import duration_pb2, timestamp_pb2

_SECOND = datetime.timedelta(seconds=1)


def stamp(moment: datetime.datetime) -> timestamp_pb2.Timestamp:
    """A time as a message; faster than FromDatetime, on the path of every read."""
    return timestamp_pb2.Timestamp(seconds=int(moment.timestamp() // 1), nanos=moment.microsecond * 1000)


def span(length: datetime.timedelta) -> duration_pb2.Duration:
    """A length of time (not negative) as a message."""
    return duration_pb2.Duration(seconds=length // _SECOND, nanos=length.microseconds * 1000)
