"""`python -m onseju` is `onseju`."""

from onseju.cli import main

if __name__ == "__main__":
    main()
