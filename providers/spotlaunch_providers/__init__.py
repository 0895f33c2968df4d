"""One folder per cloud. Each speaks the four methods of `spotlaunch.ports.Provider`."""
