"""`python -m bench.books [--quick] [--rounds N] [--only ENGINE …]`."""

from bench.books import main

if __name__ == "__main__":
    main()
