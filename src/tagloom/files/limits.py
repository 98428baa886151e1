"""Limits of files, each with its unit and its reason."""

TAGS_PER_LINE_MAX = 10_000  # One person's tags in one line of a body.
JSON_BODY_BYTES_MAX = 16_777_216  # Decoded in memory at once; larger bodies come as NDJSON, CSV or Parquet.
BULK_BODY_BYTES_MAX = 68_719_476_736  # 64 GiB streamed; split a larger file into several batches.
DECOMPRESSED_PER_BYTE_MAX = 400  # A body that grows more is a decompression bomb; tables of one value grow hundredfold.
WORKBOOK_BYTES_MAX = 67_108_864  # An Excel file, which is held in memory whole; a million rows take about 30 MB.
WORKBOOK_UNPACKED_BYTES_MAX = 268_435_456  # The same file unpacked, as its archive declares and the reader checks.
WORKBOOK_CELLS_MAX = 20_000_000  # Of one sheet, including blank ones: 32 bytes each while it is read.
PART_BYTES = 16_777_216  # Bytes of a body that are parsed at once: the memory of an upload.
PARQUET_PAGE_BYTES_MAX = 268_435_456  # A page is held in memory up to three times; writers make 1 to 100 MB.
PARTS_IN_FLIGHT_MAX = 3  # Parts read ahead of the engine; more only adds memory.
