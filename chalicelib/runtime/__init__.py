"""The parts of a process: settings, clients, clock and threads, and use cases with their adapters."""
