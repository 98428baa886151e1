"""Events of one environment on bitmaps: the blocks of the log, recent ids, and daily counts."""
