"""Egress: all connections to other machines, which go only to the address that was checked."""
