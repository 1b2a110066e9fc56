"""Arrow's tables. Imported when a type of pyarrow is first used."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from volant.types import frames


def _to_parquet(table: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def _from_parquet(parts: Sequence[bytes], columns: Sequence[str] | None) -> Any:
    wanted = list(columns) if columns is not None else None
    table = pa.concat_tables([pq.read_table(io.BytesIO(part), columns=wanted) for part in parts])
    return table.select(wanted) if wanted is not None else table  # reading leaves out what is not there


def _to_csv(table: Any) -> bytes:
    buffer = io.BytesIO()
    pa_csv.write_csv(table, buffer)
    return buffer.getvalue()


def _from_csv(parts: Sequence[bytes], columns: Sequence[str] | None) -> Any:
    table = pa.concat_tables([pa_csv.read_csv(io.BytesIO(part)) for part in parts])
    return table.select(list(columns)) if columns is not None else table


frames.register_frame(
    pa.Table,
    {
        frames.PARQUET: frames.FrameFormat(_to_parquet, _from_parquet),
        frames.CSV: frames.FrameFormat(_to_csv, _from_csv),
    },
)
