"""Forms of the console as values, and back."""
