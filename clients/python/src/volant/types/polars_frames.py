"""polars' data frames. Imported when a type of polars is first used."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import polars as pl

from volant.types import frames


def _to_parquet(frame: Any) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def _from_parquet(parts: Sequence[bytes], columns: Sequence[str] | None) -> Any:
    wanted = list(columns) if columns is not None else None
    return pl.concat([pl.read_parquet(io.BytesIO(part), columns=wanted) for part in parts])


def _to_csv(frame: Any) -> bytes:
    text: str = frame.write_csv()
    return text.encode()


def _from_csv(parts: Sequence[bytes], columns: Sequence[str] | None) -> Any:
    wanted = list(columns) if columns is not None else None
    return pl.concat([pl.read_csv(io.BytesIO(part), columns=wanted) for part in parts])


def _lazily(decode: Any) -> Any:
    return lambda parts, columns: decode(parts, columns).lazy()


frames.register_frame(
    pl.DataFrame,
    {
        frames.PARQUET: frames.FrameFormat(_to_parquet, _from_parquet),
        frames.CSV: frames.FrameFormat(_to_csv, _from_csv),
    },
)
frames.register_frame(
    pl.LazyFrame,
    {
        frames.PARQUET: frames.FrameFormat(lambda frame: _to_parquet(frame.collect()), _lazily(_from_parquet)),
        frames.CSV: frames.FrameFormat(lambda frame: _to_csv(frame.collect()), _lazily(_from_csv)),
    },
)
