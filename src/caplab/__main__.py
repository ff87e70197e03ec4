"""`python -m caplab`: the same command as `caplab`."""

from caplab.scripts.cli.main import main

if __name__ == "__main__":
    main()
