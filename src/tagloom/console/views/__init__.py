"""What each page says: a view takes a visit and answers with a template and its facts."""
