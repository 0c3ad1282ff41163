"""A job's command line: its flags, its config file, its help, its exit status, what it prints."""
