"""Lets real clients perform the rows of the catalogue, and writes docs/compatibility.md: `make compatibility`."""
