"""The steps, one file for each family: what a step is called, what it means, and the function that performs it."""
