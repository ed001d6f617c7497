"""`python3 wsecho.py`: starts the server of the package beside this file, and does nothing else."""

if __name__ == "__main__":
    import sys

    from wsecho.__main__ import main

    sys.exit(main())
