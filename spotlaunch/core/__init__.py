"""What is decided, purely: no clock, chance, file, socket, environment or log in this folder."""
