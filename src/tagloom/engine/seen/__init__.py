"""The days on which people were seen: those of their first and their last event, stored like values of attributes."""
