"""The only room that prints or exits: one file per command, and `render`."""
