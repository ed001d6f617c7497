"""Faults, one family in each file: whatever breaks, other connections notice nothing, and nothing is left behind.

Some families are elsewhere: workers and their supervisor that are killed or hang
(`tests/processes/test_supervisor.py`), resets at every moment (`tests/connections/test_resets.py`), full disks and
blocked pipes under the log (`tests/logs/test_structured_log.py`), a port in use (`tests/processes/test_cli.py`).
"""
