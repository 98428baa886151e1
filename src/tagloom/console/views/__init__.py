"""The views: a view takes a request and returns a template with its values, a redirect, a file or JSON."""
