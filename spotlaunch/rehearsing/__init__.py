"""A job of the user's on machines of this computer, which are taken away, in a book of its own."""
