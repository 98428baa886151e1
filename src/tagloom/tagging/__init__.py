"""Use cases that change tags: bulk writes, the catalogue, previews, undo and expiry."""
