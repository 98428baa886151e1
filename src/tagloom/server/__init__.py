"""One serving process: its sockets, its threads, and its limits on slow bodies. The API and the console use it."""
