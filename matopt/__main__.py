"""``python -m matopt``."""

from matopt.cli import main

if __name__ == "__main__":
    main()
