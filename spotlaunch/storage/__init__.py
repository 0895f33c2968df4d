"""What is remembered (the book), and what agent and watchdog exchange (blobs and the mailbox)."""
