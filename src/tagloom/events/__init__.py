"""Events of end users: reads bodies of events, records them, and lists them."""
