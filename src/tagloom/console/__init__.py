"""The console: web pages for marketers, operators and developers. It calls the use cases, never the HTTP API."""
