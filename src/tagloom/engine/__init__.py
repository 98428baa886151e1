"""The engine: tags and people as bitmaps. Only this package uses pyroaring and numpy for them."""
