"""python -m retrace."""

from retrace.command_line import main

if __name__ == "__main__":
    main()
