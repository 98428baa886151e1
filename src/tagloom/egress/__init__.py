"""The one way out: connections to other machines, which go to just the address that was checked."""
