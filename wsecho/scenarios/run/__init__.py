"""Performs plans on connections: before the 101 response, and after it."""
