"""The memory of a process, as the kernel counts it."""


def resident_memory(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    return _memory(pid, "VmRSS")


def peak_memory(pid: int) -> int:
    """Return the highest resident memory that a process ever had, in bytes."""
    return _memory(pid, "VmHWM")


def _memory(pid: int, field: str) -> int:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))


def virtual_memory(pid: int) -> int:
    """Return the size of the address space of a process in bytes, which RLIMIT_AS limits."""
    return _memory(pid, "VmSize")
