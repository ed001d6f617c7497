"""Access control: which web pages and which credentials are accepted; it may import `http` and `options`."""
