"""Faults, one family a file: whatever breaks, other connections notice nothing, and nothing is left behind.

Some families have stood elsewhere for longer: workers and their supervisor killed or hung (`tests/test_workers.py`),
resets at every moment (`tests/test_resets.py`), full disks and blocked pipes under the log (`tests/test_logs.py`), a
port in use (`tests/test_launch.py`).
"""
