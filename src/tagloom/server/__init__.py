"""One serving process: its sockets, its threads, and its reader of bodies and forms. The API and the console use it."""
