"""Conformance: runs rows of the catalogue as cases against clients, and judges them by what the server saw; it may
import `http`, `websocket`, `options`, `logs`, `connections`, `scenarios` and `processes`.
"""
