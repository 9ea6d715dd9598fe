"""`python -m bench.load [--quick] [--seconds N] [--ways WAY …] [--without-peers] [--against DIR]`."""

from bench.load import main

if __name__ == "__main__":
    main()
