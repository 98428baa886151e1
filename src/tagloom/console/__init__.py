"""The console: pages for marketers, operators and developers. It calls the use cases, never HTTP."""
