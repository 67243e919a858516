"""The commands of `retrace`, each in a module of its own."""
