"""Limits of files, each with its unit and its reason."""

TAGS_PER_LINE_MAX = 10_000  # The tags of one person in one line of a body.
JSON_BODY_BYTES_MAX = 16_777_216  # JSON is decoded in memory at once. Send a larger body as NDJSON, CSV or Parquet.
BULK_BODY_BYTES_MAX = 68_719_476_736  # 64 GiB. The body is streamed. Split a larger file into several batches.
DECOMPRESSED_PER_BYTE_MAX = 400  # A body that grows more is a decompression bomb. Tables of one value grow hundredfold.
WORKBOOK_BYTES_MAX = 67_108_864  # An Excel file is held in memory whole. A million rows take about 30 MB.
WORKBOOK_UNPACKED_BYTES_MAX = 268_435_456  # The unpacked size of an Excel file. Its archive declares it.
WORKBOOK_CELLS_MAX = 20_000_000  # The cells of one sheet with blank cells. A cell takes 32 bytes during the read.
PART_BYTES = 16_777_216  # The bytes of a body that are parsed at once. They bound the memory of an upload.
PARQUET_PAGE_BYTES_MAX = 268_435_456  # A page is held in memory up to three times. Writers make 1 to 100 MB.
PARTS_IN_FLIGHT_MAX = 3  # Parts that are read ahead of the engine. More parts only add memory.
