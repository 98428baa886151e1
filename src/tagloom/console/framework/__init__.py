"""What every page of the console shares: roles, dispatch, templates and the frame around a page."""
