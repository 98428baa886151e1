"""Bodies and files become parts: CSV, NDJSON, JSON and Parquet, read in bounded memory."""
