"""The server for a long time under everything at once: idle and busy crowds, churn, hostile peers, a death, a drain."""
