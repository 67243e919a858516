"""How the command line is packaged for others: the wheel, its vendored modules, and the release that is tried out."""
