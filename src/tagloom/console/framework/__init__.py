"""Code that all pages of the console use: roles, dispatch, templates and the frame around a page."""
