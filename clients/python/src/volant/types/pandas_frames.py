"""pandas' data frames and series. Imported when a type of pandas is first used."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pandas as pd

from volant import errors
from volant.types import frames


def _to_parquet(frame: Any) -> bytes:
    buffer = io.BytesIO()
    try:
        frame.to_parquet(buffer, coerce_timestamps="us", allow_truncated_timestamps=False)
    except ImportError as cause:
        raise errors.MissingDependencyError("pyarrow", "passing data frames between tasks") from cause
    except (ValueError, TypeError, OverflowError) as cause:
        raise errors.TypeMismatchError(f"this data frame cannot be written as Parquet: {cause}") from cause
    except Exception as cause:  # pyarrow's own errors have no common base outside of it
        if type(cause).__module__.partition(".")[0] != "pyarrow":
            raise
        raise errors.TypeMismatchError(f"this data frame cannot be written as Parquet: {cause}") from cause
    return buffer.getvalue()


def _from_parquet(parts: Sequence[bytes], columns: Sequence[str] | None) -> Any:
    wanted = list(columns) if columns is not None else None
    found = [pd.read_parquet(io.BytesIO(part), columns=wanted) for part in parts]
    return found[0] if len(found) == 1 else pd.concat(found, ignore_index=True)


def _to_csv(frame: Any) -> bytes:
    text: str = frame.to_csv(index=False)
    return text.encode()


def _from_csv(parts: Sequence[bytes], columns: Sequence[str] | None) -> Any:
    wanted = list(columns) if columns is not None else None
    found = [pd.read_csv(io.BytesIO(part), usecols=wanted) for part in parts]
    return found[0] if len(found) == 1 else pd.concat(found, ignore_index=True)


frames.register_frame(
    pd.DataFrame,
    {
        frames.PARQUET: frames.FrameFormat(_to_parquet, _from_parquet),
        frames.CSV: frames.FrameFormat(_to_csv, _from_csv),
    },
)
