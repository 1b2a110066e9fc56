"""What can be set of the data proxy."""

import dataclasses
import datetime


@dataclasses.dataclass(frozen=True, slots=True)
class DataProxySettings:
    """Settings of the data proxy."""

    longest_upload: datetime.timedelta = datetime.timedelta(hours=1)
    """For how long an upload URL may be good."""
    longest_download: datetime.timedelta = datetime.timedelta(hours=1)
    """For how long a download URL may be good."""
