"""Tags on every user of a product, and the audiences they make."""

__version__ = "0.1.0"
