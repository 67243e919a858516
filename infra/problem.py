"""What stops a command, told so that whoever reads it knows what to do next."""


class Problem(Exception):
    """Something the user can put right: what is wrong, and the remedy."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}\n{remedy}")
        self.what = what
        self.remedy = remedy
