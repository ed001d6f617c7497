"""Texts of every kind of character, made by Hypothesis."""

from hypothesis import strategies as st

ANYTHING = st.text(st.characters(exclude_categories=()), max_size=700) | st.binary(max_size=700).map(
    lambda data: data.decode("latin-1")
)
