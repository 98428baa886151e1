"""Limits of files, each with its unit and its reason."""

TAGS_PER_LINE_MAX = 10_000  # One person's tags in one line of a body.
JSON_BODY_BYTES_MAX = 16_777_216  # Decoded in memory at once; larger bodies come as NDJSON, CSV or Parquet.
BULK_BODY_BYTES_MAX = 68_719_476_736  # 64 GiB streamed; beyond it a file belongs in several batches.
DECOMPRESSED_PER_BYTE_MAX = 400  # A body that grows more than so is a bomb; tables of one value grow hundredfold.
WORKBOOK_BYTES_MAX = 67_108_864  # An Excel file, which has to be held whole; a million rows take some 30 MB.
WORKBOOK_UNPACKED_BYTES_MAX = 268_435_456  # The same without its compression, as the archive tells and proves.
WORKBOOK_CELLS_MAX = 20_000_000  # Of one sheet, blank ones among them: 32 bytes each while it is read.
PART_BYTES = 16_777_216  # Bytes of a body that are parsed at once: the memory of an upload.
PARQUET_PAGE_BYTES_MAX = 268_435_456  # A page is held whole, up to three times; writers make 1 to 100 MB.
PARTS_IN_FLIGHT_MAX = 3  # Parts read ahead of the engine; more only adds memory.
