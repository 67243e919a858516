"""What a process is made of: settings, clients, clock and threads, and use cases with their adapters."""
