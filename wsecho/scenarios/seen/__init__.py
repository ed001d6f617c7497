"""What is kept under the keys of scenarios, by all workers together: how many connections, and what each did."""
