"""Long work that is started from the page: child processes of the commands that a terminal user has."""
