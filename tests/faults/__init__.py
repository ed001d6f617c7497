"""Faults, one family in each file: whatever breaks, other connections notice nothing, and nothing is left behind.

Tests of other faults are with the modules that handle them: workers and supervisors that are killed or hang
(`tests/processes/test_supervisor.py`), too few file descriptors (`tests/processes/test_descriptors.py`), a port in use
(`tests/processes/test_binding.py`), a full server (`tests/connections/test_capacity.py`), resets at every moment
(`tests/connections/test_resets.py`), full disks and blocked pipes under the log (`tests/logs/test_writer.py`).
"""
