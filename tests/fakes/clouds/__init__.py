"""Five clouds as HTTP servers on 127.0.0.1, written from what their APIs were measured to do. See ../README.md."""
