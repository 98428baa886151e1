"""One serving process: its sockets, its threads, and how slowly a body may come. Both doors use it."""
