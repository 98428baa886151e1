"""Egress: all connections to other machines. Each connection goes to the numeric address that was checked."""
