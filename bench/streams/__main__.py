"""`python -m bench.streams`: see `bench.streams.run`."""

from bench.streams.run import main

if __name__ == "__main__":
    main()
